/** The result backend in a folder against its suite, and what only files can do wrong. */
import { randomUUID } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, describe, expect, it } from '@jest/globals'
import { Connection, systemAmbient } from '@celeriac/messaging'
import { backends, resultCodec } from '@celeriac/tasks/internal'
import { backendOptions, backendSuite, type OpenOptions } from '@celeriac/tasks/testing'

const FilesystemBackend = await backends.file.load()
type Backend = InstanceType<typeof FilesystemBackend>
const { codec } = new Connection('memory://')
const names = ['msgpack', 'pickle', 'yaml']
const codecs = await Promise.all(names.map((name) => resultCodec(codec, name, names)))

const root = mkdtempSync(path.join(tmpdir(), 'celeriac-files-'))
const opened: Backend[] = []
let count = 0

/** A new folder below a new one, so that what leaves it is seen. */
function newFolder(): string {
  const folder = path.join(root, String(count++), 'results')
  mkdirSync(folder, { recursive: true })
  return folder
}

function open(
  folder: string,
  options?: OpenOptions,
  more?: Parameters<typeof backendOptions>[2],
): Backend {
  const given = backendOptions(`file://${folder}`, options, more)
  const backend = new FilesystemBackend(given, systemAmbient())
  opened.push(backend)
  return backend
}

const success = (value: unknown): string => `{"status": "SUCCESS", "result": ${String(value)}}`
const put = (backend: Backend, id: string, data: string): Promise<void> =>
  backend.store([{ id, state: (JSON.parse(data) as { status: string }).status, data }])

afterEach(async () => {
  await Promise.all(opened.splice(0).map((backend) => backend.close()))
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

const shared = newFolder()
backendSuite(
  { describe, it },
  {
    name: 'filesystem',
    open: (options) =>
      new FilesystemBackend(backendOptions(`file://${shared}`, options), systemAmbient()),
    unique: randomUUID,
    codecs,
  },
)

describe('results in a folder', () => {
  it('are files named as Celery names its keys, and nothing else is left', async () => {
    const folder = newFolder()
    const backend = open(folder)
    await put(backend, 'some-id', '{"status": "STARTED"}')
    await put(backend, 'some-id', success(1))
    await backend.storeGroup('some-group', [['some-group', null], []])

    expect(readdirSync(folder).toSorted()).toEqual([
      'celery-task-meta-some-id',
      'celery-taskset-meta-some-group',
    ])
    const text = readFileSync(path.join(folder, 'celery-task-meta-some-id'), 'utf8')
    expect(text).toBe(success(1))
  })

  it.each(['../../out', '/etc/x', 'a/../../b', 'back\\slash', 'nul\0', '..', 'x'.repeat(400)])(
    'do not leave it with the id %j',
    async (id) => {
      const folder = newFolder()
      const backend = open(folder)
      await put(backend, id, success(1))

      expect(await backend.read([id])).toEqual([success(1)])
      expect(readdirSync(folder)).toHaveLength(1)
      expect(readdirSync(path.dirname(folder))).toEqual(['results'])
      await backend.forget([id])
      expect(readdirSync(folder)).toEqual([])
    },
  )

  it('keep the first success of many writers at once, whole at every moment', async () => {
    const folder = newFolder()
    const writers = Array.from({ length: 5 }, () => open(folder))
    const ids = Array.from({ length: 20 }, () => randomUUID())
    const reader = open(folder)
    const large = 'x'.repeat(200_000)
    const first = new Map<string, string>()
    let isDone = false
    const reading = (async () => {
      while (!isDone) {
        for (const [i, data] of (await reader.read(ids)).entries()) {
          if (data === undefined) continue
          const { status, result } = reader.decode(data)
          if (status !== 'SUCCESS') continue
          const before = first.get(ids[i]!) ?? String(result).slice(-1)
          first.set(ids[i]!, before)
          expect([String(result).slice(-1), String(result).length]).toEqual([before, 200_001])
        }
      }
    })()

    await Promise.all(
      writers.flatMap((writer, w) =>
        ids.flatMap((id) => [
          put(writer, id, '{"status": "STARTED"}'),
          put(writer, id, success(`"${large}${String(w)}"`)),
          put(writer, id, '{"status": "RETRY"}'),
        ]),
      ),
    )
    isDone = true
    await reading

    const found = (await reader.read(ids)).map((data) => reader.decode(data!))
    expect(found.map(({ status }) => status)).toEqual(ids.map(() => 'SUCCESS'))
    for (const [i, { result }] of found.entries())
      expect(first.get(ids[i]!) ?? String(result).slice(-1)).toBe(String(result).slice(-1))
    expect(readdirSync(folder)).toHaveLength(ids.length)
  }, 30_000)

  it('wake who waits as soon as they are there', async () => {
    const folder = newFolder()
    const [reader, writer] = [open(folder), open(folder)]
    const told: Promise<number>[] = []
    for (let i = 0; i < 5; i++) {
      const id = randomUUID()
      let tell!: () => void
      const heard = new Promise<void>((resolve) => (tell = resolve))
      const off = await reader.subscribe(id, tell)
      // Longer than the poller is quick.
      await new Promise((resolve) => setTimeout(resolve, 700))
      const began = performance.now()
      await put(writer, id, success(1))
      told.push(heard.then(() => performance.now() - began))
      await heard
      off()
    }
    const took = (await Promise.all(told)).toSorted((a, b) => a - b)
    expect(took[2]).toBeLessThan(100)
  }, 30_000)

  it('of a writer that is not done are not there yet', async () => {
    const folder = newFolder()
    const backend = open(folder)
    const file = path.join(folder, 'celery-task-meta-slow')
    const told: unknown[] = []
    await backend.subscribe('slow', (data) => told.push(data))

    writeFileSync(file, '')
    expect(await backend.read(['slow'])).toEqual([undefined])
    writeFileSync(file, success(1).slice(0, -10))
    expect(await backend.read(['slow'])).toEqual([undefined])
    writeFileSync(file, success(1))

    expect(await backend.read(['slow'])).toEqual([success(1)])
    await new Promise((resolve) => setTimeout(resolve, 600))
    expect(told).toEqual([success(1)])
  })

  it('that are damaged are said to be', async () => {
    const folder = newFolder()
    const backend = open(folder)
    const file = path.join(folder, 'celery-task-meta-bad')
    writeFileSync(file, '{"status": "SUC')
    utimesSync(file, 1, 1)

    const [data] = await backend.read(['bad'])

    expect(() => backend.decode(data!)).toThrow(
      expect.objectContaining({ code: 'TASKS_RESULT_INVALID' }) as unknown as Error,
    )
  })

  it('go when they are too old, with what dead writers left, and nothing else', async () => {
    const folder = newFolder()
    const backend = open(folder, { expiresSeconds: 3600 })
    await put(backend, 'old', success(1))
    await put(backend, 'new', success(1))
    await backend.storeGroup('old', [['old', null], []])
    const alien = path.join(folder, 'somebody-elses')
    writeFileSync(alien, 'x')
    writeFileSync(path.join(folder, '.celeriac-lock-x'), '')
    const agoSeconds = Date.now() / 1000 - 3700
    for (const name of readdirSync(folder))
      if (name !== 'celery-task-meta-new')
        utimesSync(path.join(folder, name), agoSeconds, agoSeconds)

    await backend.cleanup()

    expect(readdirSync(folder).toSorted()).toEqual(['celery-task-meta-new', 'somebody-elses'])
  })

  it('stay for ever when nothing else was said', async () => {
    const folder = newFolder()
    const backend = open(folder, { expiresSeconds: 0 })
    await put(backend, 'old', success(1))
    utimesSync(path.join(folder, 'celery-task-meta-old'), 1, 1)

    await backend.cleanup()

    expect(readdirSync(folder)).toHaveLength(1)
  })

  it('are replaced although a writer died with its lock', async () => {
    const folder = newFolder()
    const backend = open(folder)
    await put(backend, 'a', '{"status": "STARTED"}')
    const lock = path.join(folder, '.celeriac-lock-celery-task-meta-a')
    writeFileSync(lock, '')
    utimesSync(lock, 1, 1)

    await put(backend, 'a', success(1))

    expect(await backend.read(['a'])).toEqual([success(1)])
    expect(existsSync(lock)).toBe(false)
  })

  it('take the prefix of keys', async () => {
    const folder = newFolder()
    const backend = open(folder, {}, { options: { global_keyprefix: 'mine' } })
    await put(backend, 'a', success(1))

    expect(readdirSync(folder)).toEqual(['mine_celery-task-meta-a'])
  })

  it('are refused a folder that is none', async () => {
    const folder = newFolder()
    await expect(open(path.join(folder, 'no')).open()).rejects.toMatchObject({
      code: 'TASKS_CONFIG_INVALID',
      message: expect.stringContaining(path.join(folder, 'no')) as unknown,
    })
    const file = path.join(folder, 'file')
    writeFileSync(file, '')
    await expect(open(file).open()).rejects.toMatchObject({ code: 'TASKS_CONFIG_INVALID' })
    expect(() => open('')).toThrow(
      expect.objectContaining({ code: 'TASKS_CONFIG_INVALID' }) as unknown as Error,
    )
  })

  it('cannot be asked for after the end, nor once the folder has gone', async () => {
    const folder = newFolder()
    const [ended, left] = [open(folder), open(folder)]
    await left.open()
    await ended.close()
    rmSync(folder, { recursive: true })

    await expect(ended.read(['a'])).rejects.toMatchObject({ code: 'TASKS_STOPPED' })
    await expect(put(left, 'a', success(1))).rejects.toMatchObject({ code: 'TASKS_BACKEND_FAILED' })
  })
})
