// A task, a worker and a client in one process; nothing else has to run.
import { Celeriac, createWorker } from '@celeriac/tasks'

const app = new Celeriac('hello', { broker: 'memory://hello' })
const add = app.task('hello.add', (x: number, y: number) => x + y)

const worker = await createWorker(app, { pool: 'async' })
await worker.start()

const result = await add.delay(2, 3)
console.log('2 + 3 =', await result.get({ timeout: 5 }))
console.log('state:', await result.state)

await worker.stop()
await app.close()
