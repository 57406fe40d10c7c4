// Consumers and publishers killed at random instants, on brokers that claim in a way of their own: what was
// confirmed is delivered, and soon. With CELERIAC_CHAOS=long many more of them.
import { afterAll, describe, expect, it } from '@jest/globals'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crashRounds } from '../fixtures/crash-rounds.ts'
import { describeWith, startPrivatePostgres, uniqueName } from '../services/brokers.ts'

const isLong = process.env['CELERIAC_CHAOS'] === 'long'
const rounds = isLong ? 200 : 30
const timeoutMs = isLong ? 300_000 : 60_000

async function check(broker: string, url: string): Promise<void> {
  const result = await crashRounds(url, uniqueName('ledger'), rounds)
  const { kills, confirmed, lost, repeated, backMs } = result
  console.log(
    `${broker}: ${kills} kills, ${confirmed} confirmed, ${lost.length} lost, ${repeated} twice, all back ${(backMs / 1000).toFixed(1)} s after the last kill`,
  )
  expect(lost).toEqual([])
  expect(confirmed).toBeGreaterThan(rounds * 10)
  expect(backMs).toBeLessThan(15_000)
}

describeWith('postgres', 'processes killed on PostgreSQL', () => {
  it(
    'lose nothing',
    async () => {
      const server = await startPrivatePostgres()
      try {
        await check('PostgreSQL', server.url)
      } finally {
        await server.dispose()
      }
    },
    timeoutMs,
  )
})

describe('processes killed on folders', () => {
  const folder = mkdtempSync(join(tmpdir(), 'celeriac-kills-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))

  it(
    'lose nothing',
    () => check('folders', `filesystem://${folder}?data_folder_in=data&data_folder_out=data`),
    timeoutMs,
  )
})
