// What becomes of files when something breaks between two acts on them.
import { afterEach, describe, expect, it } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { open as openFile, rename } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemAmbient } from '../../src/kernel/ambient.ts'
import { systemClock, type Clock } from '../../src/kernel/clock.ts'
import { silentLogger } from '../../src/kernel/log.ts'
import { message } from '../../src/message/message.ts'
import { Inbox } from '../../src/transports/filesystem/inbox.ts'
import { encodeName, Names, parseName, byAge } from '../../src/transports/filesystem/names.ts'
import { FilesystemStore } from '../../src/transports/filesystem/store.ts'
import { Tables } from '../../src/transports/filesystem/tables.ts'
import { encodeEnvelope } from '../../src/virtual/envelope.ts'

const cleanups: (() => Promise<void> | void)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

function place(under = tmpdir()): string {
  const base = mkdtempSync(join(under, 'celeriac-crashes-'))
  cleanups.push(() => rmSync(base, { recursive: true, force: true }))
  return base
}

async function open(
  base: string,
  session: string,
  { processed, clock = systemClock }: { processed?: string; clock?: Clock } = {},
) {
  const data = join(base, 'data')
  const parked: string[] = []
  const store = await FilesystemStore.open(
    { in: data, out: data, control: join(base, 'control'), processed },
    {
      ambient: systemAmbient({ clock, log: silentLogger }),
      session,
      events: { onParked: (queue) => parked.push(queue), onDue: () => undefined },
    },
  )
  cleanups.push(() => store.close())
  return { store, data, parked, sessions: join(data, '.celeriac', 'sessions') }
}

const push = (body: string, queue = 'q') => ({
  queue,
  text: encodeEnvelope(message(body), '', queue, body),
  priority: 0,
})
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const messagesIn = (folder: string) => readdirSync(folder).filter((name) => name.endsWith('.msg'))

describe('names of message files', () => {
  it('leave room for what is added while one is delayed or given back', async () => {
    const longest = Math.max(
      ...[100, 170, 180, 185, 190].map((n) => Buffer.byteLength(encodeName('x'.repeat(n)))),
    )
    // A machine that was up for a hundred years.
    const file = `3155760000000_00000000-0000-4000-8000-000000000000.${'x'.repeat(longest)}.msg`
    expect(`.new-${file}`.length).toBeLessThanOrEqual(255)
    expect(`${Date.now()}~${file}`.length).toBeLessThanOrEqual(255)
  })

  it('sort over several processes, one after the other, when the clock began anew', () => {
    const before = 2 ** 50
    const made: string[] = []
    for (let run = 0; run < 20; run++) {
      const newest = made.reduce((most, name) => Math.max(most, parseName(name)!.ms), before)
      const names = new Names(newest)
      made.push(names.next('q'), names.next('q'))
    }
    const parsed = made.map((name) => parseName(name)!)
    expect(parsed.toSorted(byAge)).toEqual(parsed)
  })
})

describe('a session of files that was given up', () => {
  it('loses nothing that it claims in this very moment', async () => {
    const { store, data, sessions } = await open(place(), 'sweeper')
    await store.push([push('x')])
    const file = messagesIn(data)[0]!
    let landed = 0
    for (let round = 0; round < 60; round++) {
      const folder = join(sessions, `late-${round}.ended`)
      mkdirSync(folder)
      for (let n = 0; n < 40; n++) writeFileSync(join(folder, `other-${n}`), '')
      // By its handle, as a rename whose path was looked up before the folder got another name.
      const handle = await openFile(folder, constants.O_RDONLY)
      const path = `/proc/self/fd/${handle.fd}/${file}`
      const sweeping = store.tick()
      for (let spin = 0; spin < round % 20; spin++) await new Promise(setImmediate)
      const isClaimed = await rename(join(data, file), path).then(
        () => true,
        () => false,
      )
      await sweeping
      await handle.close()
      if (isClaimed) landed++
      await store.tick()
      expect(messagesIn(data)).toEqual([file])
    }
    expect(landed).toBeGreaterThan(0)
  })

  it('is not the file of another program among the sessions', async () => {
    const { store, sessions } = await open(place(), 's')
    const strange = join(sessions, '.DS_Store')
    writeFileSync(strange, 'x')
    utimesSync(strange, 1, 1)
    await store.tick()
    await store.tick()
    expect(existsSync(strange)).toBe(true)
  })

  it('may have left a card that says nothing', async () => {
    const { store, sessions } = await open(place(), 's')
    mkdirSync(join(sessions, 'odd'))
    writeFileSync(join(sessions, 'odd', 'session.json'), 'null')
    expect((await store.tick()).restored).toBe(0)
  })

  it('is not one whose lease looks ended because a clock was set', async () => {
    let behindMs = 0
    const clock = { ...systemClock, monotonic: () => systemClock.monotonic() - behindMs }
    const { store, sessions } = await open(place(), 's', { clock })
    const other = join(sessions, 'other')
    const card = join(other, 'session.json')
    mkdirSync(other)
    writeFileSync(card, '{"host": "elsewhere", "pid": 1, "started": ""}')
    await store.tick()

    // The wall clock goes ahead of the other one by a minute: files from before look old.
    behindMs = 60_000
    utimesSync(card, Date.now() / 1000 - 60, Date.now() / 1000 - 60)
    await store.tick()
    expect(existsSync(other)).toBe(true)
    await store.tick()
    expect(existsSync(other)).toBe(false)
  })
})

describe('files that cannot be read now', () => {
  it('are no garbage: not one is parked or lost when there are no more handles', async () => {
    const base = place()
    const { store, data } = await open(base, 's')
    const total = 200
    await store.push(Array.from({ length: total }, (_, i) => push(`m${i}`)))
    for (const file of messagesIn(data)) utimesSync(join(data, file), 1, 1)
    await store.close()

    const handles = [] as number[]
    const { store: reader, parked } = await open(base, 'r')
    const limit = Number(execFileSync('sh', ['-c', 'ulimit -n']).toString())
    if (limit > 70_000) return
    for (;;) {
      try {
        handles.push(openSync('/dev/null', 'r'))
      } catch {
        break
      }
    }
    for (const handle of handles.splice(0, 12)) closeSync(handle)
    const taken = await reader.take(['q'], 256).catch(() => [])
    for (const handle of handles) closeSync(handle)

    expect(parked).toEqual([])
    expect(taken.length + messagesIn(data).filter((name) => !name.includes('parked')).length).toBe(
      total,
    )
  })
})

describe('a folder whose changes nobody tells of', () => {
  it('is looked at again while its date may be that of an earlier change', async () => {
    const folder = place()
    const inbox = new Inbox(folder, systemClock)
    cleanups.push(() => inbox.close())
    const found = inbox.wait(['wanted'], AbortSignal.timeout(6000)).then(() => performance.now())
    await pause(50)
    // Watches end with the folder they were made for.
    rmSync(folder, { recursive: true })
    mkdirSync(folder)
    writeFileSync(join(folder, '1_a.other.msg'), '{}')
    const coarse = Math.floor(Date.now() / 1000)
    utimesSync(folder, coarse, coarse)
    await pause(1300)

    writeFileSync(join(folder, '2_a.wanted.msg'), '{}')
    utimesSync(folder, coarse, coarse)
    const written = performance.now()

    expect((await found) - written).toBeLessThan(2500)
  }, 10_000)
})

describe('acknowledged files that are kept', () => {
  const elsewhere = '/dev/shm'
  const canMove = existsSync(elsewhere) && statSync(elsewhere).dev !== statSync(tmpdir()).dev

  it('are kept on another file system, also when that was done before', async () => {
    if (!canMove) return
    const processed = place(elsewhere)
    const { store, data } = await open(place(), 's', { processed })
    await store.push([push('x')])
    const file = messagesIn(data)[0]!
    const text = readFileSync(join(data, file), 'utf8')
    // Killed in the middle of the copy.
    writeFileSync(join(processed, file), text.slice(0, 5))
    const [taken] = await store.take(['q'], 1)
    await store.settle([{ taken: taken!, outcome: 'remove' }])
    expect(readFileSync(join(processed, file), 'utf8')).toBe(text)
    await store.settle([{ taken: taken!, outcome: 'remove' }])
  })
})

describe('tables of bindings', () => {
  it('are left to those who work on them one after the other, however long that takes', async () => {
    const control = place()
    const tables = new Tables(control, systemClock)
    await tables.open()
    const lock = join(control, '.celeriac', 'locks', 'e.exchange')
    let holder = 0
    writeFileSync(lock, `holder ${holder}`)
    let stolen = false
    const others = setInterval(() => {
      stolen ||= !existsSync(lock) || !readFileSync(lock, 'utf8').startsWith('holder')
      if (!stolen) {
        writeFileSync(`${lock}.new`, `holder ${++holder}`)
        renameSync(`${lock}.new`, lock)
      }
    }, 100)
    const binding = { exchange: 'e', queue: 'q', routingKey: 'k', arguments: {} }
    let isBound = false
    const bound = tables.bind(binding, 'direct').then(() => (isBound = true))
    await new Promise((resolve) => setTimeout(resolve, 3600))
    clearInterval(others)
    expect({ stolen, isBound }).toEqual({ stolen: false, isBound: false })
    rmSync(lock)
    await bound
    expect(await tables.bindings('e')).toHaveLength(1)
  }, 10_000)

  it('are free again when a holder died, also for several who wait', async () => {
    const control = place()
    const tables = new Tables(control, systemClock)
    await tables.open()
    writeFileSync(join(control, '.celeriac', 'locks', 'e.exchange'), 'dead')
    await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        new Tables(control, systemClock).bind(
          { exchange: 'e', queue: `q${i}`, routingKey: 'k', arguments: {} },
          'direct',
        ),
      ),
    )
    expect(await tables.bindings('e')).toHaveLength(8)
  }, 15_000)
})
