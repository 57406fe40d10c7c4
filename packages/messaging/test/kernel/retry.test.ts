import { describe, expect, it } from '@jest/globals'
import { MessagingError } from '../../src/kernel/errors.ts'
import { retry } from '../../src/kernel/retry.ts'

const quick = { retries: 5, minMs: 1, maxMs: 2 }
const ambient = { random: () => 0.5 }

describe('retry', () => {
  it('repeats until it works, telling of each failure', async () => {
    const failures: number[] = []
    const result = await retry(
      async (attempt) => {
        if (attempt < 3) throw new Error('not yet')
        return attempt
      },
      quick,
      ambient,
      { onFailure: (_error, attempt) => failures.push(attempt) },
    )

    expect(result).toBe(3)
    expect(failures).toEqual([1, 2])
  })

  it('repeats a TypeError as well', async () => {
    let attempts = 0
    await expect(
      retry(
        async () => {
          attempts++
          throw new TypeError('odd')
        },
        { ...quick, retries: 2 },
        ambient,
      ),
    ).rejects.toThrow('odd')
    expect(attempts).toBe(3)
  })

  it('gives up at once where trying again cannot help', async () => {
    let attempts = 0
    const fatal = new MessagingError('MESSAGING_AUTHENTICATION_FAILED', 'fatal', 'no')
    await expect(
      retry(
        async () => {
          attempts++
          throw fatal
        },
        quick,
        ambient,
      ),
    ).rejects.toBe(fatal)
    expect(attempts).toBe(1)
  })

  it('ends when told to', async () => {
    const stop = new AbortController()
    const trying = retry(
      async () => {
        stop.abort(new Error('enough'))
        throw new Error('not yet')
      },
      { retries: Infinity, minMs: 1, maxMs: 2 },
      ambient,
      { signal: stop.signal },
    )
    await expect(trying).rejects.toThrow('enough')
  })
})
