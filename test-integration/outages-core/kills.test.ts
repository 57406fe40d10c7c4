// Consumers and publishers killed at random instants: what was confirmed is delivered, and soon. (MongoDB has
// a loop of its own in mongodb-faults: its test server is too slow for this one.) With CELERIAC_CHAOS=long many more of them.
import { afterAll, describe, expect, it } from '@jest/globals'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crashRounds } from '../fixtures/crash-rounds.ts'
import {
  describeWith,
  startPrivatePostgres,
  startPrivateRabbit,
  startPrivateRedis,
  uniqueName,
  type ControlledServer,
} from '../services/brokers.ts'

const isLong = process.env['CELERIAC_CHAOS'] === 'long'
const rounds = isLong ? 200 : 30
const timeoutMs = isLong ? 300_000 : 60_000

type Start = () => Promise<ControlledServer>

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

const servers = {
  redis: () => startPrivateRedis(),
  rabbitmq: () => startPrivateRabbit(),
  postgres: () => startPrivatePostgres(),
} as const

for (const [name, start] of Object.entries(servers) as [keyof typeof servers, Start][]) {
  describeWith(name, `processes killed on ${name}`, () => {
    it(
      'lose nothing',
      async () => {
        const server = await start()
        try {
          await check(name, server.url)
        } finally {
          await server.dispose()
        }
      },
      timeoutMs,
    )
  })
}

describe('processes killed on SQLite', () => {
  const folder = mkdtempSync(join(tmpdir(), 'celeriac-kills-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))

  it('lose nothing', () => check('SQLite', `sqlite://${folder}/broker.db`), timeoutMs)
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
