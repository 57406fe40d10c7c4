/** An app with a worker on an in-process broker of its own; the tests' one way to get both. */
import { randomUUID } from 'node:crypto'
import { Connection, queue, silentLogger, type Delivery } from '@celeriac/messaging'
import { Celeriac, createWorker, type AppOptions, type Worker } from '@celeriac/tasks'

export interface Bench {
  readonly app: Celeriac
  readonly worker: Worker
  readonly connection: Connection
  /** Everything in the parking queue, taken out. */
  parked(): Promise<Delivery[]>
  /** Messages waiting in a queue. */
  waiting(queue?: string): Promise<number>
  end(): Promise<void>
}

export async function setup(
  define: (app: Celeriac) => void,
  options: AppOptions = {},
  concurrency = 10,
): Promise<Bench> {
  const broker = `memory://${randomUUID()}`
  const app = new Celeriac('bench', {
    broker,
    loadConfig: false,
    ambient: { log: silentLogger },
    ...options,
  })
  define(app)
  const worker = await createWorker(app, { pool: 'async', concurrency })
  const connection = new Connection(broker)
  return {
    app,
    worker,
    connection,
    parked: () =>
      connection.withChannel(async (channel) => {
        const found: Delivery[] = []
        for (;;) {
          const next = await channel.get('celeriac.parked', { noAck: true })
          if (!next) return found
          found.push(next)
        }
      }),
    waiting: (name = 'celery') =>
      connection.withChannel(async (channel) => (await channel.declareQueue(queue(name))).messages),
    async end() {
      await worker.stop(0.5)
      await app.close()
      await connection.close()
    },
  }
}
