// Tasks in every serializer and compression, between our clients and workers and Python's; results in JSON.
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import type { Celeriac } from '@celeriac/tasks'
import { quietApp, removeQueues } from '../fixtures/clients.ts'
import { OurWorker } from '../fixtures/our-worker.ts'
import { PythonClient, PythonWorker } from '../fixtures/python.ts'
import { describeWith, uniqueName, urlOf } from '../services/brokers.ts'

const accepted = ['json', 'yaml', 'msgpack', 'pickle']
const pairs: readonly [serializer: string, compression: string | undefined][] = [
  ['json', 'zstd'],
  ['json', 'lzma'],
  ['yaml', undefined],
  ['yaml', 'bzip2'],
  ['msgpack', undefined],
  ['msgpack', 'zstandard'],
  ['pickle', undefined],
  ['pickle', 'xz'],
  ['pickle', 'brotli'],
]

describeWith(['redis', 'python'], 'tasks in other codecs', () => {
  const toPython = uniqueName('codecs-py')
  const toUs = uniqueName('codecs-js')
  let app: Celeriac
  let theirs: PythonWorker
  let ours: OurWorker
  let python: PythonClient

  beforeAll(async () => {
    const url = urlOf('redis')
    const common = { broker: url, backend: url }
    app = quietApp({ ...common, taskDefaultQueue: toPython })
    ;[theirs, ours, python] = await Promise.all([
      PythonWorker.start({ ...common, queue: toPython, settings: { accept_content: accepted } }),
      OurWorker.start({ ...common, queue: toUs, settings: { acceptContent: accepted } }),
      PythonClient.start({ ...common, queue: toUs }),
    ])
  })

  afterAll(async () => {
    await Promise.all([theirs?.stop(), ours?.stop(), python?.kill9()])
    await app?.close()
    await removeQueues(urlOf('redis'), [toPython, toUs])
  })

  it.each(pairs)('%s, %s: run in Python', async (serializer, compression) => {
    const echo = app.remote<(value: unknown) => unknown>('py.echo')
    const value = { text: 'é', list: [1, 2.5, null, true], nested: { a: [] } }
    const options = { serializer, ...(compression !== undefined && { compression }) }

    const result = await echo.applyAsync([value], options)
    expect(await result.get({ timeout: 20 })).toEqual(value)
  })

  it.each(pairs)('%s, %s: run here', async (serializer, compression) => {
    const options = { serializer, ...(compression !== undefined && { compression }) }

    expect(await python.run({ task: 'js.add', args: [2, 3] }, options)).toMatchObject({ value: 5 })
  })
})
