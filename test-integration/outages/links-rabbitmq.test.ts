// Messaging over RabbitMQ while the broker is restarted, killed, drops its clients and is silent: nothing that
// was confirmed is lost, and messages flow again as soon as they can. Long with CELERIAC_CHAOS=long.
import { Connection, queue } from '@celeriac/messaging'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { setTimeout as pause } from 'node:timers/promises'
import { linkReportLine, runLinkOutages, type LinkFault } from '../fixtures/link-outages.ts'
import { probeAmqp } from '../../scripts/services/index.mjs'
import {
  describeWith,
  startPrivateRabbit,
  uniqueName,
  type ControlledRabbit,
} from '../services/brokers.ts'

const isLong = process.env['CELERIAC_CHAOS'] === 'long'
const times = (count: number, fault: LinkFault): LinkFault[] =>
  Array.from({ length: count }, () => fault)
const few = isLong ? [...times(5, 'close'), ...times(5, 'restart'), ...times(5, 'kill9')] : []
const faults = isLong
  ? [...times(20, 'close'), ...times(20, 'restart'), ...times(20, 'kill9'), ...times(10, 30_000)]
  : [...times(3, 'close'), 'restart' as const, 'kill9' as const, 12_000]

describeWith('rabbitmq', 'outages of RabbitMQ', () => {
  let rabbit: ControlledRabbit

  beforeAll(async () => {
    rabbit = await startPrivateRabbit()
  }, 60_000)

  afterAll(async () => {
    await rabbit?.dispose()
  })

  it.each(isLong ? (['classic', 'quorum'] as const) : (['classic'] as const))(
    'cost no confirmed message of a %s queue, and little time',
    async (type) => {
      const count = async (what: string): Promise<number> =>
        (await rabbit.ctl(what)).split('\n').filter((line) => line.trim() !== '').length
      const declared = queue(uniqueName('outages'), { type })
      await using connection = new Connection(rabbit.url)
      await connection.withChannel((channel) => channel.declareQueue(declared))
      await connection.close()
      // RabbitMQ 3.10 never wakes a quorum queue that was made within five seconds before a kill.
      if (type === 'quorum') await pause(6000)
      const report = await runLinkOutages({
        name: `RabbitMQ, ${type}`,
        server: rabbit,
        queue: declared,
        faults: type === 'quorum' ? few : faults,
        closeAll: () => rabbit.ctl('close_all_connections', 'a test'),
        probe: probeAmqp,
        census: async () => [
          await count('list_connections'),
          await count('list_channels'),
          await count('list_consumers'),
        ],
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
