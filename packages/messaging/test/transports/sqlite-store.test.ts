import { afterEach, describe, expect, it } from '@jest/globals'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { isNewEnough, openSqlite } from '../../src/clients/sqlite.ts'
import { Connection } from '../../src/connection/connection.ts'
import { systemAmbient } from '../../src/kernel/ambient.ts'
import { systemClock } from '../../src/kernel/clock.ts'
import { silentLogger } from '../../src/kernel/log.ts'
import { message } from '../../src/message/message.ts'
import { queue } from '../../src/topology/queue.ts'
import { SqliteBroker } from '../../src/transports/sqlite/broker.ts'
import { choose } from '../../src/transports/sqlite/claim.ts'
import { isGone, ownIdentity } from '../../src/virtual/process-identity.ts'
import { SqliteStore } from '../../src/transports/sqlite/store.ts'
import { databasePath } from '../../src/transports/sqlite/transport.ts'
import { encodeEnvelope } from '../../src/virtual/envelope.ts'

const cleanups: (() => Promise<void> | void)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'celeriac-sqlite-'))
  cleanups.push(() => rmSync(path, { recursive: true }))
  return path
}

/** A session whose clock can be moved. */
async function openStore(path: string, session: string) {
  const clock = { ...systemClock, aheadMs: 0, now: () => Date.now() + clock.aheadMs }
  const ambient = systemAmbient({ clock, log: silentLogger })
  const broker = await SqliteBroker.acquire(path, 'NORMAL')
  const store = await SqliteStore.open(broker, {
    ambient,
    session,
    events: { onParked: () => undefined, onDue: () => undefined },
  })
  cleanups.push(() => store.close())
  return { store, clock }
}

const text = (body: string) => encodeEnvelope(message(body), '', 'q', body)
const push = (body: string, priority = 0, to = 'q') => ({ queue: to, text: text(body), priority })
const bodies = (taken: readonly { text: string }[]) =>
  taken.map((one) =>
    Buffer.from((JSON.parse(one.text) as { body: string }).body, 'base64').toString(),
  )

describe('the path of an sqlite URL', () => {
  for (const [host, path, expected] of [
    ['', 'var/lib/b.db', '/var/lib/b.db'],
    ['', '/var/lib/b.db', '/var/lib/b.db'],
    ['data', 'b.db', resolve('data/b.db')],
    ['b.db', '', resolve('b.db')],
    ['', '', resolve('.celeriac/broker.db')],
  ] as const) {
    it(`${host || 'nothing'} and ${path || 'nothing'} mean ${expected}`, () => {
      expect(databasePath({ host, path })).toBe(expected)
    })
  }
})

describe('the engine', () => {
  it('is refused when it is older than the first safe version', () => {
    const versions = ['3.45.1', '3.51.2', '3.51.3', '3.51.10', '3.52.0', '4.0.0']

    expect(versions.map(isNewEnough)).toEqual([false, false, true, true, true, true])
  })
})

describe('opening a file', () => {
  it('makes folders and files that only their owner can read', async () => {
    const path = join(folder(), 'a/b/broker.db')
    const { store } = await openStore(path, 's')
    await store.push([push('x')])

    for (const suffix of ['', '-wal', '-shm', '-bell'])
      expect(statSync(path + suffix).mode & 0o777).toBe(0o600)
    expect(statSync(join(path, '..')).mode & 0o777).toBe(0o700)
    expect(store.server).toMatch(/^SQLite 3\./)
  })

  it('refuses for good what is no database, or cannot be', async () => {
    const dir = folder()
    const garbage = join(dir, 'garbage.db')
    writeFileSync(garbage, 'this is no database at all '.repeat(1000))
    const newer = join(dir, 'newer.db')
    const database = await openSqlite(newer)
    database.exec('CREATE TABLE celeriac_broker (version INTEGER NOT NULL)')
    database.exec('INSERT INTO celeriac_broker VALUES (99)')
    database.close()

    for (const path of [garbage, newer, join(garbage, 'below.db'), dir]) {
      const connection = new Connection(`sqlite://${path}`)
      await expect(connection.connect()).rejects.toMatchObject({
        code: 'MESSAGING_CONNECT_FAILED',
        fault: 'fatal',
      })
      await connection.close()
    }
  })

  it('says that a file is of an older layout, and leaves it as it is', async () => {
    const older = join(folder(), 'older.db')
    const database = await openSqlite(older)
    database.exec(`CREATE TABLE celeriac_broker (version INTEGER NOT NULL) STRICT;
      INSERT INTO celeriac_broker VALUES (1);
      CREATE TABLE celeriac_messages (id INTEGER PRIMARY KEY, queue TEXT NOT NULL,
        priority INTEGER NOT NULL, owner INTEGER, due INTEGER, text TEXT NOT NULL) STRICT`)
    const connection = new Connection(`sqlite://${older}`)

    await expect(connection.connect()).rejects.toMatchObject({
      fault: 'fatal',
      message: expect.stringContaining('layout 1, here 2'),
    })

    const found = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all()
    expect(found.map(({ name }) => name)).toEqual(['celeriac_broker', 'celeriac_messages'])
    database.close()
    await connection.close()
  })

  it('keeps times that are no whole milliseconds, and those that are too far away', async () => {
    const { store } = await openStore(join(folder(), 'b.db'), 's')
    const inAMinute = Date.now() + 60_000.5
    await store.push([
      { ...push('a'), expiresAtMs: inAMinute },
      { ...push('b'), expiresAtMs: 1e300 },
      { ...push('c', NaN), dueAtMs: Infinity },
    ])
    await store.declareQueue(queue('brief', { expiresMs: 0.5 }))

    expect(bodies(await store.take(['q'], 10))).toEqual(['a', 'b'])
  })

  it('refuses an unknown option by name', async () => {
    const connection = new Connection(`sqlite://${folder()}/b.db?synchronous=OFF`)
    await expect(connection.connect()).rejects.toMatchObject({ code: 'MESSAGING_OPTION_INVALID' })
    await connection.close()
  })

  it('ends the session when its file was moved away', async () => {
    const path = join(folder(), 'b.db')
    const { store } = await openStore(path, 's')

    renameSync(path, `${path}.old`)

    await expect(store.tick()).rejects.toMatchObject({ fault: 'connection' })
    const { store: next } = await openStore(path, 'next')
    await next.push([push('x')])
    expect(await next.count('q')).toBe(1)
  })
})

describe('claims', () => {
  it('serve higher priorities first, and equal ones in order', async () => {
    const { store } = await openStore(join(folder(), 'b.db'), 's')
    await store.push([push('a', 1), push('b', 255), push('c', 1), push('d', 300), push('e', -3)])

    expect(bodies(await store.take(['q'], 10))).toEqual(['b', 'd', 'a', 'c', 'e'])
  })

  it('go to one session only', async () => {
    const path = join(folder(), 'b.db')
    const [one, two] = [await openStore(path, '1'), await openStore(path, '2')]
    await one.store.push(Array.from({ length: 100 }, (_, i) => push(String(i))))

    const taken = await Promise.all([one.store.take(['q'], 60), two.store.take(['q'], 60)])

    expect(taken.map(({ length }) => length)).toEqual([60, 40])
    expect(new Set(taken.flat().map(({ receipt }) => receipt)).size).toBe(100)
  })

  it('take turns over queues of equal urgency', () => {
    const at = (...ids: [id: number, priority: number][]) =>
      ids.map(([id, priority]) => ({ id, priority }))

    expect(choose([at([1, 0], [2, 0], [3, 0]), at([4, 0])], 3)).toEqual([1, 4, 2])
    expect(choose([at([1, 0], [2, 0]), at([3, 5], [4, 5])], 3)).toEqual([3, 4, 1])
    expect(choose([at(), at([1, 0])], 5)).toEqual([1])
    expect(choose([], 5)).toEqual([])
  })
})

describe('what a session holds', () => {
  it('goes back when its lease ends, and is not its own any more', async () => {
    const path = join(folder(), 'b.db')
    const [slow, other] = [await openStore(path, 'slow'), await openStore(path, 'other')]
    await slow.store.push([push('a'), push('b')])
    const [taken] = await slow.store.take(['q'], 1)

    other.clock.aheadMs = 14_000
    expect((await other.store.tick()).restored).toBe(0)
    other.clock.aheadMs = 16_000
    expect((await other.store.tick()).restored).toBe(1)
    const again = await other.store.take(['q'], 2)

    expect(bodies(again)).toEqual(['a', 'b'])
    expect(again.map(({ attempts }) => attempts)).toEqual([1, 0])
    const lost = { code: 'MESSAGING_LEASE_LOST', fault: 'connection' }
    const settled = slow.store.settle([{ taken: taken!, outcome: 'remove' }])
    await expect(settled).rejects.toMatchObject(lost)
    await slow.store.push([push('c')])
    await expect(slow.store.take(['q'], 1)).rejects.toMatchObject(lost)
    await expect(slow.store.tick()).rejects.toMatchObject(lost)
    await other.store.settle(again.map((one) => ({ taken: one, outcome: 'remove' })))
    expect(await other.store.count('q')).toBe(1)
  })

  it('stays when everybody was away, and goes back when one does not return', async () => {
    const path = join(folder(), 'b.db')
    const [one, other] = [await openStore(path, 'one'), await openStore(path, 'other')]
    await one.store.push([push('a')])
    await one.store.take(['q'], 1)
    await other.store.tick()

    other.clock.aheadMs = 3_600_000
    expect((await other.store.tick()).restored).toBe(0)
    other.clock.aheadMs += 5000
    expect((await other.store.tick()).restored).toBe(1)
  })

  it('keeps its lease while it ticks', async () => {
    const path = join(folder(), 'b.db')
    const [one, other] = [await openStore(path, 'one'), await openStore(path, 'other')]
    await one.store.push([push('a')])
    await one.store.take(['q'], 1)

    for (let aheadMs = 0; aheadMs < 60_000; aheadMs += 5000) {
      one.clock.aheadMs = other.clock.aheadMs = aheadMs
      await one.store.tick()
      expect((await other.store.tick()).restored).toBe(0)
    }
  })

  it('goes back at once, in its old place, when it closes', async () => {
    const path = join(folder(), 'b.db')
    const [one, other] = [await openStore(path, 'one'), await openStore(path, 'other')]
    await one.store.push([push('a'), push('b'), push('c')])
    await one.store.take(['q'], 2)

    await one.store.close()

    const taken = await other.store.take(['q'], 3)
    expect(bodies(taken)).toEqual(['a', 'b', 'c'])
    expect(taken[0]!.text).toContain('"redelivered":true')
    expect(taken[0]!.attempts).toBe(0)
  })

  it('goes behind the others when it is requeued, and next in line when it is restored', async () => {
    const { store } = await openStore(join(folder(), 'b.db'), 's')
    await store.push([push('a'), push('b'), push('c')])
    const [a, b] = await store.take(['q'], 2)

    await store.settle([
      { taken: a!, outcome: 'requeue' },
      { taken: b!, outcome: 'restore' },
    ])

    expect(bodies(await store.take(['q'], 3))).toEqual(['b', 'c', 'a'])
  })

  it('waits for its hour, whoever looks then', async () => {
    const path = join(folder(), 'b.db')
    const [one, other] = [await openStore(path, 'one'), await openStore(path, 'other')]
    await one.store.push([push('a')])
    const [taken] = await one.store.take(['q'], 1)
    await one.store.settle([{ taken: taken!, outcome: { delayUntilMs: one.clock.now() + 10_000 } }])
    await one.store.close()

    const { nextDueMs } = await other.store.tick()
    expect(nextDueMs).toBeGreaterThan(9000)
    expect(await other.store.take(['q'], 1)).toEqual([])
    other.clock.aheadMs = 10_001
    expect(await other.store.tick()).toMatchObject({ restored: 1, nextDueMs: undefined })

    const [again] = await other.store.take(['q'], 1)
    expect(again!.attempts).toBe(0)
  })
})

describe('queues that go by themselves', () => {
  it('go when nobody has used them for their time, with their messages and bindings', async () => {
    const path = join(folder(), 'b.db')
    const [one, other] = [await openStore(path, 'one'), await openStore(path, 'other')]
    await one.store.declareQueue(queue('used', { expiresMs: 20_000 }))
    await one.store.declareQueue(queue('unused', { expiresMs: 20_000 }))
    await one.store.declareQueue(queue('lasting'))
    await one.store.bind({ exchange: 'x', queue: 'used', routingKey: 'k', arguments: {} })
    await one.store.push([push('u', 0, 'used'), push('n', 0, 'unused'), push('l', 0, 'lasting')])
    await one.store.join('used')

    for (const aheadMs of [14_000, 21_000]) {
      one.clock.aheadMs = aheadMs
      other.clock.aheadMs = aheadMs
      await one.store.tick()
      await other.store.tick()
    }
    expect(await other.store.hasQueue('unused')).toBe(false)
    expect(await other.store.hasQueue('used')).toBe(true)

    await one.store.close()
    other.clock.aheadMs = 40_000
    await other.store.tick()
    expect(await other.store.hasQueue('used')).toBe(true)
    other.clock.aheadMs = 41_500
    await other.store.tick()
    expect(await other.store.hasQueue('used')).toBe(false)
    expect(await other.store.readBindings('x')).toEqual([])
    expect(await other.store.count('lasting')).toBe(1)
  })

  it('go with their last consumer or their owner, also when that process died', async () => {
    const path = join(folder(), 'b.db')
    const [one, other] = [await openStore(path, 'one'), await openStore(path, 'other')]
    await one.store.declareQueue(queue('reply', { exclusive: true }))
    await one.store.declareQueue(queue('shared', { autoDelete: true }))
    await one.store.join('shared')
    await other.store.join('shared')
    await expect(other.store.join('reply')).rejects.toMatchObject({
      code: 'MESSAGING_DECLARATION_REFUSED',
    })

    other.clock.aheadMs = 16_000
    await other.store.tick()
    expect(await other.store.hasQueue('reply')).toBe(false)
    expect(await other.store.hasQueue('shared')).toBe(true)
    await other.store.leave('shared')
    expect(await other.store.hasQueue('shared')).toBe(false)
  })

  it('does not keep the queue of a killed process from the one that follows', async () => {
    const path = join(folder(), 'b.db')
    const one = await openStore(path, 'one')
    await one.store.declareQueue(queue('node', { exclusive: true }))
    const { pid } = spawnSync(process.execPath, ['--version'])
    const database = await openSqlite(path)
    database.exec(`UPDATE celeriac_sessions SET pid = ${pid}`)
    database.close()

    const { store } = await openStore(path, 'next')

    await store.declareQueue(queue('node', { exclusive: true }))
    await expect(store.join('node')).resolves.toBeUndefined()
  })

  it('takes what a dead owner held of its own queue with it', async () => {
    const path = join(folder(), 'b.db')
    const [one, other] = [await openStore(path, 'one'), await openStore(path, 'other')]
    await one.store.declareQueue(queue('reply', { exclusive: true }))
    await one.store.push([push('held', 0, 'reply'), push('waiting', 0, 'reply')])
    await one.store.take(['reply'], 1)

    other.clock.aheadMs = 16_000
    await other.store.tick()

    expect(await other.store.count('reply')).toBe(0)
    expect(await other.store.hasQueue('reply')).toBe(false)
  })
})

describe('another process', () => {
  const own = ownIdentity()

  it('is gone when its id is nobody’s, or another’s', () => {
    const { pid } = spawnSync(process.execPath, ['--version'])

    expect(isGone({ ...own, pid, started: '' }, own)).toBe(true)
    expect(isGone({ ...own, pid: process.ppid, started: '' }, own)).toBe(false)
  })

  it('is judged by its lease alone when it cannot be seen', () => {
    const { pid } = spawnSync(process.execPath, ['--version'])

    expect(isGone({ ...own, host: 'elsewhere', pid }, own)).toBe(false)
    expect(isGone(own, own)).toBe(false)
  })
})
