// Messaging over Redis (append-only, written through) while the server is restarted, killed, drops its clients
// and is silent: nothing that was confirmed is lost, and messages flow again as soon as they can. Long with
// CELERIAC_CHAOS=long.
import { queue } from '@celeriac/messaging'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { setTimeout as pause } from 'node:timers/promises'
import { linkReportLine, runLinkOutages, type LinkFault } from '../fixtures/link-outages.ts'
import { rawRedis } from '../fixtures/raw-redis.ts'
import { probeRedis } from '../../scripts/services/index.mjs'
import {
  describeWith,
  startPrivateRedis,
  uniqueName,
  type ControlledServer,
} from '../services/brokers.ts'

const isLong = process.env['CELERIAC_CHAOS'] === 'long'
const times = (count: number, fault: LinkFault): LinkFault[] =>
  Array.from({ length: count }, () => fault)
const faults = isLong
  ? [...times(20, 'close'), ...times(20, 'restart'), ...times(20, 'kill9'), ...times(10, 30_000)]
  : [...times(3, 'close'), 'restart' as const, 'kill9' as const, 12_000]

describeWith('redis', 'outages of Redis', () => {
  let server: ControlledServer

  beforeAll(async () => {
    // Append-only and written through, by default.
    server = await startPrivateRedis()
  })

  afterAll(async () => {
    await server?.dispose()
  })

  it(
    'cost no confirmed message, and little time',
    async () => {
      const ask = async (...words: [string, ...string[]]): Promise<unknown> => {
        const redis = await rawRedis(server.url)
        try {
          return await redis.call(...words)
        } finally {
          redis.disconnect()
        }
      }
      const report = await runLinkOutages({
        name: 'Redis',
        server,
        queue: queue(uniqueName('outages')),
        faults,
        async closeAll() {
          await ask('CLIENT', 'KILL', 'TYPE', 'pubsub')
          await ask('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
        },
        probe: probeRedis,
        census: async () =>
          String(await ask('CLIENT', 'LIST'))
            .trim()
            .split('\n').length,
      })

      console.log(linkReportLine(report))
      const { backMs } = report
      expect(report.lost).toEqual([])
      expect(report.censusAfter).toEqual(report.censusBefore)
      expect(Math.max(...backMs.restart, ...backMs.kill9, ...backMs.close)).toBeLessThan(2000)
      expect(Math.max(0, ...backMs.silence)).toBeLessThan(12_000)
      // A rejection nobody hears would end the process in this time.
      await pause(100)
    },
    isLong ? 1_500_000 : 120_000,
  )
})
