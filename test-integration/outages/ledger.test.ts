// Nothing that was confirmed is lost, whatever dies: workers are killed and the broker is restarted while
// tasks are sent and run. `npm run test:chaos` runs the long version of the same.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it } from '@jest/globals'
import { probeAmqp, probeRedis } from '../../scripts/services/index.mjs'
import { reportLine, runOutage, type BrokerFault, type OutageReport } from '../fixtures/outage.ts'
import { clientsOf, rawRedis } from '../fixtures/raw-redis.ts'
import {
  describeWith,
  startPrivateRabbit,
  startPrivateRedis,
  uniqueName,
} from '../services/brokers.ts'

const isLong = process.env['CELERIAC_CHAOS'] === 'long'
const size = isLong
  ? { tasks: 10_000, workerKills: 10, redis: 5, rabbit: 5 }
  : { tasks: 1500, workerKills: 3, redis: 2, rabbit: 1 }
const timeoutMs = isLong ? 900_000 : 120_000

const reports: OutageReport[] = []

afterAll(() => {
  if (reports.length > 0) console.info(reports.map(reportLine).join('\n'))
})

/** A warm stop that is over at once, then a power cut of a while, and so on. */
function alternately(count: number): BrokerFault[] {
  return Array.from({ length: count }, (_, i) =>
    i % 2 === 0 ? { how: 'stop', downMs: 0 } : { how: 'kill9', downMs: 2500 },
  )
}

function expectNothingLost(report: OutageReport): void {
  reports.push(report)
  expect(report.lost).toEqual([])
  expect(report.confirmed).toBeGreaterThan(size.tasks * 0.9)
  expect(report.doubled).toBeLessThanOrEqual(report.mayDouble)
  // Leases of 15 s, and a moment to look; AMQP brokers see the socket close.
  expect(Math.max(...report.takeoverMs)).toBeLessThan(17_000)
  expect(report.censusAfter).toEqual(report.censusBefore)
}

function expectBackInTime(report: OutageReport, faults: number): void {
  expect(report.firstTaskMs).toHaveLength(faults)
  expect(Math.max(...report.firstTaskMs)).toBeLessThan(2000)
  expect(Math.max(...report.allConsumeMs)).toBeLessThan(2000)
}

describeWith('redis', 'tasks on Redis', () => {
  it(
    'survive killed workers and a server that stops and dies',
    async () => {
      const server = await startPrivateRedis()
      try {
        const report = await runOutage({
          name: 'redis',
          urls: { broker: server.url, backend: `${server.url}/1` },
          queue: uniqueName('ledger'),
          tasks: size.tasks,
          workerKills: size.workerKills,
          brokerFaults: alternately(size.redis),
          server,
          probe: (url) => probeRedis(url, { deadlineMs: 500 }),
          census: async () => {
            const redis = await rawRedis(server.url)
            const clients = await clientsOf(redis)
            redis.disconnect()
            return { clients: clients.length }
          },
        })

        expectNothingLost(report)
        expectBackInTime(report, size.redis)
      } finally {
        await server.dispose()
      }
    },
    timeoutMs,
  )
})

describeWith('rabbitmq', 'tasks on RabbitMQ', () => {
  it(
    'survive killed workers and a server that stops and dies',
    async () => {
      const server = await startPrivateRabbit()
      const queue = uniqueName('ledger')
      try {
        const report = await runOutage({
          name: 'rabbitmq',
          urls: { broker: server.url },
          queue,
          tasks: size.tasks,
          workerKills: isLong ? size.workerKills : 2,
          brokerFaults: alternately(size.rabbit),
          server,
          probe: (url) => probeAmqp(url, { deadlineMs: 1000 }),
          census: async () => {
            const count = async (...words: string[]) =>
              (await server.ctl(...words)).split('\n').filter((line) => line.trim() !== '').length
            return {
              consumers: await count('list_consumers', '--no-table-headers'),
              connections: await count('list_connections', '--no-table-headers', 'pid'),
            }
          },
        })

        expectNothingLost(report)
        expectBackInTime(report, size.rabbit)
      } finally {
        await server.dispose()
      }
    },
    timeoutMs,
  )
})

describe('tasks on the embedded broker', () => {
  it(
    'survive killed workers',
    async () => {
      const folder = mkdtempSync(path.join(tmpdir(), 'celeriac-sqlite-'))
      try {
        const report = await runOutage({
          name: 'sqlite',
          urls: { broker: `sqlite://${path.join(folder, 'broker.db')}` },
          queue: 'ledger',
          tasks: size.tasks,
          workerKills: size.workerKills,
        })

        expectNothingLost(report)
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    },
    timeoutMs,
  )
})
