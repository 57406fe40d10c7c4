// A link to RabbitMQ that is cut at each of its frames, and hundreds of channels that fail: the process lives,
// everything settles, what was declared and consumed is back, and the broker holds nothing of it at the end.
import { Connection, queue } from '@celeriac/messaging'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { until } from '../fixtures/waiting.ts'
import {
  describeWith,
  startPrivateRabbit,
  uniqueName,
  type ControlledRabbit,
} from '../services/brokers.ts'

const run = promisify(execFile)
const script = join(import.meta.dirname, 'amqp-cuts-child.mjs')
const isLong = process.env['CELERIAC_CHAOS'] === 'long'
const [messages, channelErrors] = isLong ? [60, 1000] : [20, 500]

interface Result {
  readonly frames: number
  readonly cuts: number
  readonly lost: number
  readonly doubled: number
  readonly slowestMs: number
  readonly windows: number
  readonly consumes: number
  readonly errors: number
  readonly interrupted: number
  readonly reconnected: number
  readonly open: number
}

describeWith('rabbitmq', 'links to RabbitMQ that are cut at each frame', () => {
  let rabbit: ControlledRabbit

  beforeAll(async () => {
    rabbit = await startPrivateRabbit()
  }, 60_000)

  afterAll(async () => {
    await rabbit?.dispose()
  })

  it(
    'lose nothing but the time to come back',
    async () => {
      const name = uniqueName('frames')
      const census = async (): Promise<string> =>
        JSON.stringify(
          await Promise.all(
            ['list_connections', 'list_channels', 'list_consumers'].map((what) => rabbit.ctl(what)),
          ),
        )
      const before = await census()

      const { stdout } = await run(
        process.execPath,
        [
          '--unhandled-rejections=strict',
          script,
          rabbit.url,
          name,
          String(messages),
          String(channelErrors),
        ],
        { timeout: isLong ? 590_000 : 110_000 },
      )

      const result = JSON.parse(stdout) as Result
      expect(result.cuts).toBeGreaterThan(isLong ? 500 : 190)
      expect(result.lost).toBe(0)
      expect(result.slowestMs).toBeLessThan(3000)
      // The window is told before each consumer.
      expect(result.windows).toBeGreaterThanOrEqual(result.consumes)
      expect(result.errors).toBe(channelErrors)
      expect([result.interrupted, result.reconnected, result.open]).toEqual([0, 0, 2])
      await until('nothing is left at the broker', async () => (await census()) === before, {
        timeoutMs: 20_000,
        everyMs: 500,
      })
      await using connection = new Connection(rabbit.url)
      await connection.withChannel(async (channel) => {
        expect((await channel.declareQueue(queue(name))).consumers).toBe(0)
      })
    },
    isLong ? 600_000 : 120_000,
  )
})
