import { afterEach, describe, expect, it } from '@jest/globals'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { systemAmbient } from '../../src/kernel/ambient.ts'
import { systemClock } from '../../src/kernel/clock.ts'
import { silentLogger } from '../../src/kernel/log.ts'
import { message } from '../../src/message/message.ts'
import { exchange } from '../../src/topology/exchange.ts'
import { byAge, encodeName, Names, parseName } from '../../src/transports/filesystem/names.ts'
import { FilesystemStore, fileError } from '../../src/transports/filesystem/store.ts'
import { foldersOf } from '../../src/transports/filesystem/transport.ts'
import { encodeEnvelope } from '../../src/virtual/envelope.ts'

const cleanups: (() => Promise<void> | void)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

function place(): { base: string; data: string } {
  const base = mkdtempSync(join(tmpdir(), 'celeriac-files-'))
  cleanups.push(() => rmSync(base, { recursive: true }))
  return { base, data: join(base, 'data') }
}

async function open(base: string, session: string) {
  const store = await FilesystemStore.open(
    {
      in: join(base, 'data'),
      out: join(base, 'data'),
      control: join(base, 'control'),
      processed: undefined,
    },
    {
      ambient: systemAmbient({ clock: systemClock, log: silentLogger }),
      session,
      events: { onParked: () => undefined, onDue: () => undefined },
    },
  )
  cleanups.push(() => store.close())
  return store
}

const push = (body: string, queue = 'q') => ({
  queue,
  text: encodeEnvelope(message(body), '', queue, body),
  priority: 0,
  expiresAtMs: undefined,
})
const bodies = (taken: readonly { text: string }[]) =>
  taken.map((one) =>
    Buffer.from((JSON.parse(one.text) as { body: string }).body, 'base64').toString(),
  )

describe('names of message files', () => {
  it('have the form of Kombu', () => {
    const name = new Names(0).next('celery')
    expect(name).toMatch(/^\d+_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.celery\.msg$/)
    expect(parseName(name)).toMatchObject({ file: name, queue: 'celery' })
  })

  it('sort as they were asked for, after those that were there', () => {
    const later = 2 ** 50
    const names = new Names(later)
    const made = Array.from({ length: 300 }, () => parseName(names.next('q'))!)
    expect(made.toReversed().toSorted(byAge)).toEqual(made)
    expect(byAge(parseName(`999_a.q.msg`)!, parseName('1000_a.q.msg')!)).toBeLessThan(0)
    expect(made[0]!.ms).toBeGreaterThanOrEqual(later)
  })

  it('leave ordinary names of queues as they are', () => {
    for (const name of ['celery', 'a.b-c_d', 'c@host.celery.pidbox', 'celeryev.1-2', 'ä 漢', '..'])
      expect(encodeName(name)).toBe(name)
  })

  it('never make one of two, nor leave the folder', () => {
    const odd = ['a/b', 'a%2Fb', 'a%252Fb', 'a\\b', 'a\0b', 'a\nb', '/', 'x'.repeat(300)]
    odd.push(`${'x'.repeat(299)}y`, 'ß'.repeat(200), `${'x'.repeat(20)}%~`)
    const encoded = odd.map(encodeName)
    expect(new Set(encoded).size).toBe(odd.length)
    expect(encoded.every((name) => !/[/\\\0\n]/.test(name))).toBe(true)
    expect(encoded.every((name) => Buffer.byteLength(name) <= 190)).toBe(true)
  })

  it('are told from other files', () => {
    for (const file of ['x.msg', '1_a.msg', '.celeriac', '1_a.q.txt', 'readme', '1_a..msg'])
      expect(parseName(file)).toBeUndefined()
  })
})

describe('the folders of a URL', () => {
  it('are one for reading and writing by default, and lie in its path', () => {
    expect(foldersOf({ host: '', path: '', options: {} })).toEqual({
      in: resolve('data_in'),
      out: resolve('data_in'),
      control: resolve('control'),
      processed: undefined,
    })
    const options = { dataFolderIn: 'a', dataFolderOut: '/b', storeProcessed: true }
    expect(foldersOf({ host: '', path: 'var/spool', options })).toEqual({
      in: '/var/spool/a',
      out: '/b',
      control: '/var/spool/control',
      processed: '/var/spool/processed',
    })
    expect(foldersOf({ host: 'here', path: 'x', options }).in).toBe(resolve('here/x/a'))
  })
})

describe('a store of files', () => {
  it('keeps bindings in the form of Kombu, newest first', async () => {
    const { base } = place()
    const store = await open(base, 's')
    const topic = exchange('t', { type: 'topic' })
    await store.declareExchange(topic)
    await store.bind({ exchange: 't', queue: 'one', routingKey: 'a.*', arguments: {} }, topic)
    await store.bind({ exchange: 't', queue: 'two', routingKey: '#', arguments: {} }, topic)
    await store.bind({ exchange: 't', queue: 'two', routingKey: '#', arguments: {} }, topic)

    const table: unknown = JSON.parse(readFileSync(join(base, 'control', 't.exchange'), 'utf8'))

    expect(table).toEqual([
      ['#', '^.*?$', 'two'],
      ['a.*', '^a\\..*?[^\\.]$', 'one'],
    ])
    expect((await store.readBindings('t')).map(({ queue }) => queue)).toEqual(['one', 'two'])
    await store.removeQueue('two')
    expect((await store.readBindings('t')).map(({ queue }) => queue)).toEqual(['one'])
  })

  it('takes no table for a direct exchange that may be a fanout', async () => {
    const { base } = place()
    const store = await open(base, 's')
    writeFileSync(join(base, 'control', 'theirs.exchange'), '[["", "", "q"]]')
    expect(await store.findExchange('theirs')).toBeUndefined()
    expect(await store.readBindings('theirs')).toMatchObject([{ queue: 'q' }])
  })

  it('claims in turns, and gives back to the old place or behind', async () => {
    const { base, data } = place()
    const store = await open(base, 's')
    await store.push([push('a1', 'a'), push('a2', 'a'), push('a3', 'a'), push('b1', 'b')])

    const taken = await store.take(['a', 'b'], 3)
    expect(bodies(taken)).toEqual(['a1', 'b1', 'a2'])
    await store.settle([
      { taken: taken[0]!, outcome: 'requeue' },
      { taken: taken[1]!, outcome: 'remove' },
      { taken: taken[2]!, outcome: 'restore' },
    ])

    expect(bodies(await store.take(['a'], 9))).toEqual(['a2', 'a3', 'a1'])
    expect(readdirSync(data)).toEqual(['.celeriac'])
  })

  it('gives back on closing what it held, and leaves no folder', async () => {
    const { base, data } = place()
    const [one, two] = [await open(base, 'one'), await open(base, 'two')]
    await one.push([push('x'), push('y')])
    await one.take(['q'], 2)

    await one.close()

    expect(bodies(await two.take(['q'], 9))).toEqual(['x', 'y'])
    expect(readdirSync(join(data, '.celeriac', 'sessions'))).toEqual(['two'])
  })

  it('goes on with what a sweeper left undone', async () => {
    const { base, data } = place()
    const store = await open(base, 's')
    await store.push([push('x')])
    const [file] = readdirSync(data).filter((name) => name.endsWith('.msg'))
    const ended = join(data, '.celeriac', 'sessions', 'gone.ended')
    mkdirSync(ended)
    writeFileSync(join(ended, `2_${file!}`), readFileSync(join(data, file!)))

    expect((await store.tick()).restored).toBe(1)

    const taken = await store.take(['q'], 9)
    expect(taken.length).toBe(2)
    expect(readdirSync(join(data, '.celeriac', 'sessions'))).toEqual(['s'])
  })

  it('refuses to go on when its folder is gone', async () => {
    const { base, data } = place()
    const store = await open(base, 's')
    await store.push([push('x')])
    const taken = await store.take(['q'], 1)
    rmSync(join(data, '.celeriac', 'sessions'), { recursive: true })

    await expect(store.tick()).rejects.toMatchObject({ code: 'MESSAGING_LEASE_LOST' })
    await expect(store.settle([{ taken: taken[0]!, outcome: 'remove' }])).rejects.toMatchObject({
      code: 'MESSAGING_LEASE_LOST',
    })
  })

  for (const [code, expected, fault] of [
    ['ENOSPC', 'MESSAGING_PUBLISH_REFUSED', 'message'],
    ['EACCES', 'MESSAGING_STORE_FAILED', 'fatal'],
    ['EIO', 'MESSAGING_STORE_FAILED', 'connection'],
  ] as const) {
    it(`makes ${expected} of ${code}`, () => {
      const error = Object.assign(new Error('words'), { code })
      expect(fileError(error, 'x')).toMatchObject({ code: expected, fault })
    })
  }
})
