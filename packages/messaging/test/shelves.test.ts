import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { compressors } from '../src/compressors/index.ts'
import * as publicNames from '../src/index.ts'
import { serializers } from '../src/serializers/index.ts'
import { transports } from '../src/transports/index.ts'

const here = (path: string): URL => new URL(path, import.meta.url)
const read = (path: string): string => readFileSync(here(path), 'utf8')
const folders = readdirSync(here('../src/transports/'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)

describe('the shelf of transports', () => {
  it.each(folders)('has %s in its table, its tests and the README', (name) => {
    expect(Object.keys(transports)).toContain(name)
    const tests = [
      `./transports/${name}.test.ts`,
      `../../../test-integration/transports/${name}.test.ts`,
    ]
    expect(tests.some((file) => existsSync(here(file)))).toBe(true)
    expect(read('../README.md')).toContain(`\`${name}://`)
  })

  it.each(Object.entries(transports))('loads %s on demand', async (_scheme, entry) => {
    const transport = await entry.load()
    expect(folders).toContain(transport.name)
    expect(transport.capabilities.exchangeTypes).toContain('direct')
  })
})

describe('the shelves of codecs', () => {
  it('find serializers under one name and one content type each', () => {
    const all = Object.values(serializers)
    expect(Object.keys(serializers)).toEqual(all.map(({ name }) => name))
    expect(new Set(all.map(({ contentType }) => contentType)).size).toBe(all.length)
  })

  it('find compressors under names of their own', () => {
    const names = Object.values(compressors).flatMap((one) => [one.contentType, ...one.names])
    expect(new Set(names).size).toBe(names.length)
  })
})

describe('the public names', () => {
  it('are these and no others', () => {
    // Widening the interface is a visible act: the list changes with it.
    expect(Object.keys(publicNames).toSorted()).toEqual([
      'Connection',
      'ConnectionPool',
      'Consumer',
      'Decimal',
      'DelayLadder',
      'Delivery',
      'LamportClock',
      'LocalDate',
      'LocalTime',
      'Loop',
      'Mailbox',
      'MailboxNode',
      'MessagingError',
      'Pool',
      'PoolGroup',
      'Producer',
      'ProducerPool',
      'SimpleBuffer',
      'SimpleQueue',
      'TimeDelta',
      'Uuid',
      'broadcast',
      'compressors',
      'connections',
      'consoleLogger',
      'defaultExchange',
      'exchange',
      'makeLogger',
      'makePickle',
      'maskUrl',
      'message',
      'notSupported',
      'openTelemetry',
      'parkedQueue',
      'producers',
      'queue',
      'serializers',
      'silentLogger',
      'systemAmbient',
      'systemClock',
      'transports',
      'virtualTransport',
    ])
  })
})
