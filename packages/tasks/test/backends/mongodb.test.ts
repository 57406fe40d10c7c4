import { describe, expect, it } from '@jest/globals'
import { jsonResults } from '../../src/backend/result-codec.ts'
import { documentOf, recordOf, withoutNesting } from '../../src/backends/mongodb/documents.ts'
import { mongoPlace } from '../../src/backends/mongodb/settings.ts'
import { backendOptions } from '../../src/testing/index.ts'

const full = {
  taskId: 'a',
  status: 'SUCCESS',
  result: { x: 1 },
  traceback: null,
  children: [[['child', null], null]],
  dateDone: '2026-01-02T03:04:05.678+00:00',
  groupId: 'g',
  parentId: 'p',
  extended: {
    name: 'add',
    args: [[1], { a: [2] }],
    kwargs: { deep: [[3]], flat: [4] },
    worker: 'w@h',
    retries: 0,
    queue: 'q',
  },
} as const

describe('a document of MongoDB', () => {
  it('has the fields of the record beside one another', () => {
    expect(documentOf(full, jsonResults)).toEqual({
      _id: 'a',
      status: 'SUCCESS',
      result: '{"x":1}',
      traceback: null,
      children: [[['child', null], null]],
      date_done: new Date('2026-01-02T03:04:05.678Z'),
      group_id: 'g',
      parent_id: 'p',
      name: 'add',
      args: [[1], { a: [2] }],
      kwargs: { deep: [[3]], flat: [4] },
      worker: 'w@h',
      retries: 0,
      queue: 'q',
    })
  })

  it('reads as what it was made of, also without lists in lists', () => {
    const document = documentOf(full, jsonResults)
    const flat = withoutNesting(document)

    expect(recordOf(document, jsonResults)).toEqual(full)
    expect(flat).toMatchObject({ children: null, args: null, kwargs: null, name: 'add' })
    expect(recordOf(flat, jsonResults)).toEqual(full)
  })

  it('stays as it is when it has none', () => {
    const document = documentOf({ ...full, children: [], extended: undefined }, jsonResults)
    expect(withoutNesting(document)).toBe(document)
  })
})

describe('the place of results on MongoDB', () => {
  const place = (url: string, mongodbBackendSettings: Record<string, unknown> = {}) =>
    mongoPlace(backendOptions(url, {}, { config: { mongodbBackendSettings } }))

  it.each([
    ['mongodb', {}, 'mongodb://127.0.0.1/', ''],
    ['mongodb://', {}, 'mongodb://127.0.0.1/', ''],
    ['mongodb://a,b:1/db?replicaSet=r', {}, 'mongodb://a,b:1/db', 'db'],
    ['mongodb+srv://u:p@a/db', {}, 'mongodb+srv://u:p@a/db', 'db'],
    ['mongodb://u:p@a/db', { host: 'h', port: 5 }, 'mongodb://u:p@h:5/db', 'db'],
    ['mongodb://a/db', { mongo_host: ['h:1', 'i'] }, 'mongodb://h:1,i:27017/db', 'db'],
    ['mongodb://u:p@a/db', { user: 'x@y', password: 'q/r' }, 'mongodb://x%40y:q%2Fr@a/db', 'db'],
    ['mongodb://u:p@a/db', { password: 'q' }, 'mongodb://u:q@a/db', 'db'],
    ['mongodb://a/db', { user: 'u', password: 'p', database: 'e' }, 'mongodb://u:p@a/db', 'e'],
  ])('%s with %j', (url, settings, expected, database) => {
    const { target } = place(url, settings)
    expect([target.url, target.path]).toEqual([expected, database])
  })

  it('takes options of the driver from everywhere, the settings first', () => {
    const settings = {
      max_pool_size: 3,
      options: { connectTimeoutMS: 5 },
      taskmeta_collection: 't',
    }
    const found = place('mongodb://a/db?appName=me&maxPoolSize=9', settings)

    expect(found.target.options).toEqual({ maxPoolSize: 3, connectTimeoutMS: 5, appName: 'me' })
    expect([found.tasks, found.groups]).toEqual(['t', 'celery_groupmeta'])
  })
})
