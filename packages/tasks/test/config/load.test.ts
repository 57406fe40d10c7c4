import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it } from '@jest/globals'
import { defaultSource, environmentSource, fileSource } from '../../src/config/load.ts'
import { resolve } from '../../src/config/resolve.ts'

const made: string[] = []
afterAll(() => Promise.all(made.map((one) => rm(one, { recursive: true }))))

async function directory(files: Record<string, string>): Promise<string> {
  const at = await mkdtemp(path.join(tmpdir(), 'celeriac-config-'))
  made.push(at)
  for (const [name, text] of Object.entries(files)) await writeFile(path.join(at, name), text)
  return at
}

describe('environmentSource', () => {
  it('reads every setting by its prefixed name', () => {
    const { source } = environmentSource({
      CELERY_TASK_ACKS_LATE: 'no',
      CELERY_WORKER_CONCURRENCY: '4',
      HOME: '/',
      CELERY_RESULT_EXPIRES: '',
    })

    expect(resolve([source]).config).toMatchObject({
      taskAcksLate: false,
      workerConcurrency: 4,
      resultExpires: 86_400,
    })
  })

  it('reads the two short names, the prefixed ones winning', () => {
    const { source } = environmentSource({
      CELERY_BROKER_URL: 'redis://prefixed',
      BROKER_URL: 'redis://short',
      RESULT_BACKEND: 'redis://results',
    })

    expect(source.settings).toEqual({
      brokerUrl: 'redis://prefixed',
      resultBackend: 'redis://results',
    })
  })

  it('warns of names that are nearly one, and of no others', () => {
    const { source, warnings } = environmentSource({
      CELERY_TASK_ACK_LATE: '1',
      CELERY_CONFIG_MODULE: 'x',
      CELERY_BIN: '/usr/bin',
      CELERY_ENTIRELY_OTHER_THINGS: '1',
    })

    expect(source.settings).toEqual({})
    expect(warnings).toEqual([
      'the variable CELERY_TASK_ACK_LATE is not a setting. Did you mean CELERY_TASK_ACKS_LATE?',
    ])
  })

  it('names the environment in errors', () => {
    const { source } = environmentSource({ CELERY_WORKER_CONCURRENCY: 'many' })

    expect(() => resolve([source])).toThrow(/'workerConcurrency' \(the environment\)/)
  })
})

describe('fileSource', () => {
  it.each<[string, string]>([
    ['a.json', '{"task_acks_late": false}'],
    ['b.mjs', 'export const task_acks_late = false'],
    ['c.mjs', 'export default { taskAcksLate: false }; export const helper = 1'],
    ['d.mjs', 'export const CELERY_ACKS_LATE = false'],
  ])('reads %s', async (name, text) => {
    const at = await directory({ [name]: text })

    const source = await fileSource(`./${name}`, at)

    expect(source.from).toBe(`the file ./${name}`)
    expect(resolve([source]).config.taskAcksLate).toBe(false)
  })

  it('finds the extension', async () => {
    const at = await directory({ 'conf.json': '{}', conf: 'not this' })

    expect((await fileSource('conf', at)).settings).toEqual({})
  })

  it.each<[string, Record<string, string>, RegExp]>([
    ['none.json', {}, /'none.json' cannot be used: no such file/],
    ['bad.json', { 'bad.json': '{' }, /bad.json' cannot be used: .*JSON/],
    ['list.json', { 'list.json': '[]' }, /does not hold a mapping/],
    ['throws.mjs', { 'throws.mjs': 'throw new Error("ouch")' }, /cannot be used: ouch/],
  ])('says why %s cannot be used', async (name, files, message) => {
    const at = await directory(files)

    await expect(fileSource(name, at)).rejects.toThrow(
      expect.objectContaining({
        code: 'TASKS_CONFIG_LOAD_FAILED',
        message: expect.stringMatching(message),
      }),
    )
  })
})

describe('defaultSource', () => {
  it('is celeryconfig of the directory', async () => {
    const at = await directory({ 'celeryconfig.json': '{"enable_utc": false}' })

    expect((await defaultSource({}, at))?.settings).toEqual({ enable_utc: false })
  })

  it('is nothing when there is none', async () => {
    expect(await defaultSource({}, await directory({}))).toBeUndefined()
  })

  it('is what CELERY_CONFIG_MODULE names, and that must be there', async () => {
    const at = await directory({ 'mine.json': '{"enable_utc": false}', 'celeryconfig.json': '{}' })

    expect((await defaultSource({ CELERY_CONFIG_MODULE: 'mine' }, at))?.settings).toEqual({
      enable_utc: false,
    })
    await expect(defaultSource({ CELERY_CONFIG_MODULE: 'yours' }, at)).rejects.toThrow(
      /no such file/,
    )
  })
})
