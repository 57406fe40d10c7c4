// Wherever a link is cut: the process lives, every promise settles, and what was confirmed is there.
import { Connection, queue } from '@celeriac/messaging'
import { expect, it } from '@jest/globals'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describeWith, uniqueName, urlOf } from '../services/brokers.ts'

const run = promisify(execFile)
const script = join(import.meta.dirname, 'cuts-child.mjs')

for (const [service, step, count] of [
  ['rabbitmq', 17, 80],
  ['redis', 61, 60],
] as const) {
  describeWith(service, 'links that are cut', () => {
    it('cost no process and no confirmed message', async () => {
      const name = uniqueName('cuts')
      const url = urlOf(service)

      const { stdout } = await run(
        process.execPath,
        ['--unhandled-rejections=strict', script, url, name, String(step), String(count)],
        { timeout: 50_000 },
      )

      const result = JSON.parse(stdout) as { confirmed: number; failed: number; rounds: number }
      expect(result.failed).toBeGreaterThan(10)
      expect(result.rounds).toBe(count * 2)
      const connection = new Connection(url)
      try {
        const channel = await connection.channel()
        await expect(seen(channel, name, result.confirmed)).resolves.toBe(true)
        await channel.removeQueue(name)
      } finally {
        await connection.close()
      }
    })
  })
}

/** What broken links held comes back after a while: a lease on Redis, at once on RabbitMQ. */
async function seen(
  channel: Awaited<ReturnType<Connection['channel']>>,
  name: string,
  count: number,
): Promise<boolean> {
  for (let i = 0; i < 200; i++) {
    const { messages } = await channel.declareQueue(queue(name))
    if (messages >= count) return true
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return false
}
