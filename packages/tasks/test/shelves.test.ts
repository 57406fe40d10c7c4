import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { backends } from '../src/backends/index.ts'
import * as publicNames from '../src/index.ts'
import { pools } from '../src/pools/index.ts'

const here = (path: string): URL => new URL(path, import.meta.url)
const readme = readFileSync(here('../README.md'), 'utf8')

describe('the shelf of result backends', () => {
  const own = ['memory', 'sqlite', 'redis', 'rpc']
  it.each(own)('has %s in its table, its tests and the README', (name) => {
    expect(Object.keys(backends)).toContain(name)
    const tests = [
      `./backends/${name}.test.ts`,
      `../../../test-integration/backends/${name}.test.ts`,
    ]
    expect(tests.some((file) => existsSync(here(file)))).toBe(true)
    expect(readme).toContain(`\`${name}://`)
  })

  it.each(Object.entries(backends))('loads %s on demand', async (_scheme, entry) => {
    expect(typeof (await entry.load())).toBe('function')
  })
})

describe('the shelf of pools', () => {
  it.each(Object.keys(pools))('has %s in the README', (name) => {
    expect(readme).toContain(`\`${name}\``)
  })
})

describe('the public names', () => {
  it('are these and no others', () => {
    // Widening the interface is a visible act: the list changes with it.
    expect(Object.keys(publicNames).toSorted()).toEqual([
      'AsyncResult',
      'Celeriac',
      'ChordError',
      'ConfigError',
      'DuplicateTaskError',
      'EagerResult',
      'GroupResult',
      'Ignore',
      'IncompleteStream',
      'InvalidTaskError',
      'MaxRetriesExceededError',
      'NotRegistered',
      'Reject',
      'RemoteError',
      'ResultGraph',
      'ResultSet',
      'Retry',
      'SecurityError',
      'SoftTimeLimitExceeded',
      'TaskRevokedError',
      'TasksError',
      'Terminated',
      'TimeLimitExceeded',
      'TimeoutError',
      'Worker',
      'WorkerLostError',
      'WouldBlockError',
      'allowJoinResult',
      'chain',
      'chainOf',
      'chord',
      'createBeat',
      'createWorker',
      'crontab',
      'currentApp',
      'currentTask',
      'deniedJoinResult',
      'explain',
      'group',
      'groupOf',
      'interval',
      'kw',
      'registerError',
      'resultFromTuple',
      'saga',
      'setCurrentApp',
      'sharedTask',
      'undoable',
    ])
  })
})
