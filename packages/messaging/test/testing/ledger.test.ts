import { spawnSync } from 'node:child_process'
import { appendFileSync, existsSync } from 'node:fs'
import { afterEach, describe, expect, it } from '@jest/globals'
import { Ledger } from '../../src/testing/ledger.ts'

const made: Ledger[] = []
afterEach(() => {
  for (const ledger of made.splice(0)) ledger.dispose()
})
function setup(): Ledger {
  const ledger = new Ledger()
  made.push(ledger)
  return ledger
}

describe('a ledger', () => {
  it('accounts for what was lost, doubled and left', () => {
    const ledger = setup()
    for (const id of ['a', 'b', 'c']) ledger.start(id)
    ledger.end('a')
    ledger.end('a')
    ledger.end('b')

    expect(ledger.account(['a', 'b', 'c', 'd'])).toEqual({
      lost: ['c', 'd'],
      doubled: ['a'],
      unfinished: ['c'],
      done: 2,
    })
    ledger.end('c')
    expect(ledger.account(['a', 'b', 'c']).lost).toEqual([])
  })

  it('is written by several processes, and passes over a line that was cut', () => {
    const ledger = setup()
    const row = JSON.stringify({ id: 'theirs', event: 'end', pid: 1, at: 1 })
    const script = `require('fs').appendFileSync(process.argv[1], process.argv[2] + '\\n')`
    spawnSync(process.execPath, ['-e', script, ledger.file, row])
    new Ledger(ledger.file).end('ours')
    appendFileSync(ledger.file, '{"id":"cut","eve')

    expect([...ledger.ends().keys()]).toEqual(['theirs', 'ours'])
    appendFileSync(ledger.file, '\n')
    ledger.end('later')
    expect([...ledger.ends().keys()]).toEqual(['theirs', 'ours', 'later'])
    expect(ledger.rows().map(({ pid }) => pid)).toEqual([1, process.pid, process.pid])
  })

  it('is removed by who made it alone', () => {
    const ledger = setup()
    new Ledger(ledger.file).dispose()
    expect(existsSync(ledger.file)).toBe(true)
    ledger.dispose()
    expect(existsSync(ledger.file)).toBe(false)
  })
})
