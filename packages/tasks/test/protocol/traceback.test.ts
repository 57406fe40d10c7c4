import { describe, expect, it } from '@jest/globals'
import { pythonTraceback } from '../../src/protocol/traceback.ts'

const lastLine = (error: unknown): string => String(error)

function withStack(message: string, frames: string[], cause?: unknown): Error {
  const error = cause === undefined ? new Error(message) : new Error(message, { cause })
  error.stack = [`Error: ${message}`, ...frames.map((frame) => `    at ${frame}`)].join('\n')
  return error
}

describe('a stack as a Python traceback', () => {
  it.each([
    ['inner (/srv/app.ts:3:9)', '  File "/srv/app.ts", line 3, in inner'],
    ['inner (file:///srv/app.ts:3:9)', '  File "/srv/app.ts", line 3, in inner'],
    ['async Object.run (/srv/app.ts:3:9)', '  File "/srv/app.ts", line 3, in Object.run'],
    ['/srv/app.ts:3:9', '  File "/srv/app.ts", line 3, in <anonymous>'],
    ['async file:///srv/app.ts:3:9', '  File "/srv/app.ts", line 3, in <anonymous>'],
    ['node:internal/timers:581:17', '  File "node:internal/timers", line 581, in <anonymous>'],
    ['new Work (C:\\app.ts:3:9)', '  File "C:\\app.ts", line 3, in new Work'],
  ])('%s', (frame, expected) => {
    expect(pythonTraceback(withStack('x', [frame]), lastLine)).toBe(
      `Traceback (most recent call last):\n${expected}\nError: x\n`,
    )
  })

  it('has the outermost call first', () => {
    const error = withStack('x', ['inner (/a.ts:1:1)', 'outer (/a.ts:2:1)'])

    expect(pythonTraceback(error, lastLine).split('\n').slice(1, 3)).toEqual([
      '  File "/a.ts", line 2, in outer',
      '  File "/a.ts", line 1, in inner',
    ])
  })

  it('leaves out frames without a place', () => {
    const error = withStack('x', ['Array.map (<anonymous>)', 'work (/a.ts:1:1)'])

    expect(pythonTraceback(error, lastLine)).not.toContain('Array.map')
  })

  it('has causes before what they caused', () => {
    const error = withStack('outer', ['b (/b.ts:2:1)'], withStack('inner', ['a (/a.ts:1:1)']))

    expect(pythonTraceback(error, lastLine)).toBe(
      [
        'Traceback (most recent call last):',
        '  File "/a.ts", line 1, in a',
        'Error: inner',
        '',
        'The above exception was the direct cause of the following exception:',
        '',
        'Traceback (most recent call last):',
        '  File "/b.ts", line 2, in b',
        'Error: outer',
        '',
      ].join('\n'),
    )
  })

  it('shows what another process said of its own error', () => {
    const error = Object.assign(withStack('x', ['here (/a.ts:1:1)']), { traceback: 'over there' })

    expect(pythonTraceback(error, lastLine)).toBe('over there\n')
  })

  it('ends when causes go in circles', () => {
    const error = withStack('x', [])
    error.cause = error

    expect(pythonTraceback(error, lastLine)).toBe('Error: x\n')
  })

  it.each([[undefined], [null], ['text'], [withStack('x', [])]])(
    'is one line for %p, which has no stack',
    (thrown) => {
      expect(pythonTraceback(thrown, () => 'last')).toBe(thrown === undefined ? '' : 'last\n')
    },
  )
})
