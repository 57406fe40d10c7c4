/** The link of results in SQL: made again when it breaks, replaced when it is old, given up in time. */
import { describe, expect, it } from '@jest/globals'
import { MessagingError, systemClock } from '@celeriac/messaging'
import { Links, type LinksOptions, type SqlLink } from '../../src/backends/sql/links.ts'

const lost = () => new MessagingError('MESSAGING_CONNECTION_LOST', 'connection', 'gone')
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

class FakeLink implements SqlLink {
  isClosed = false
  readonly ended: Promise<unknown>
  end!: () => void
  readonly #answer: () => Promise<unknown[]>

  constructor(answer: () => Promise<unknown[]> = async () => []) {
    this.#answer = answer
    this.ended = new Promise<void>((resolve) => (this.end = resolve))
  }

  async run() {
    return { rows: await this.#answer(), count: 0 }
  }

  async close() {
    this.isClosed = true
    this.end()
  }
}

/** Links over what `answers` make, one after the other; the last one stays. */
function linksOf(answers: (() => Promise<unknown[]>)[], options: Partial<LinksOptions> = {}) {
  const opened: FakeLink[] = []
  const links = new Links(
    async () => {
      const link = new FakeLink(answers[Math.min(opened.length, answers.length - 1)])
      opened.push(link)
      return link
    },
    { clock: systemClock, deadlineMs: 400, isShortLived: false, recycleMs: Infinity, ...options },
  )
  return { links, opened }
}

const fine = async (): Promise<unknown[]> => ['fine']
const never = (): Promise<unknown[]> => new Promise(() => undefined)

describe('a link to a database', () => {
  it('is opened once, and again when it has ended', async () => {
    const { links, opened } = linksOf([fine])
    await Promise.all([links.run('', []), links.run('', [])])
    expect(opened.length).toBe(1)

    opened[0]!.end()
    await pause(0)
    expect((await links.run('', [])).rows).toEqual(['fine'])
    expect(opened.length).toBe(2)
  })

  it('is made again for a statement that lost it, and for no other error', async () => {
    const losing = linksOf([() => Promise.reject(lost()), fine])
    expect((await losing.links.run('', [])).rows).toEqual(['fine'])
    expect(losing.opened.length).toBe(2)

    const refused = new MessagingError('MESSAGING_STORE_FAILED', 'connection', 'no such column')
    const refusing = linksOf([() => Promise.reject(refused)])
    await expect(refusing.links.run('', [])).rejects.toBe(refused)
    expect(refusing.opened.length).toBe(1)
  })

  it('is tried until the deadline, and no longer', async () => {
    const { links, opened } = linksOf([() => Promise.reject(lost())])
    const began = performance.now()

    await expect(links.run('', [])).rejects.toMatchObject({ code: 'MESSAGING_CONNECTION_LOST' })

    expect(performance.now() - began).toBeLessThan(600)
    expect(opened.length).toBeGreaterThan(1)
    expect(opened.length).toBeLessThan(10)
  })

  it('is closed when it does not answer, so that the next statement gets another', async () => {
    const { links, opened } = linksOf([never, fine])

    await expect(links.run('', [])).rejects.toMatchObject({ code: 'MESSAGING_TIMEOUT' })
    await pause(0)

    expect(opened[0]!.isClosed).toBe(true)
    expect((await links.run('', [])).rows).toEqual(['fine'])
  })

  it('is replaced when it is old and nobody uses it', async () => {
    const { links, opened } = linksOf([fine], { recycleMs: 30 })
    await links.run('', [])
    await links.run('', [])
    expect(opened.length).toBe(1)

    await pause(60)
    await links.run('', [])
    expect(opened.map(({ isClosed }) => isClosed)).toEqual([true, false])
  })

  it('lives as long as something is under way, when it is to be short', async () => {
    const slow = async (): Promise<unknown[]> => {
      await pause(30)
      return []
    }
    const { links, opened } = linksOf([slow], { isShortLived: true })
    await Promise.all([links.run('', []), links.run('', [])])
    await pause(0)

    expect(opened.map(({ isClosed }) => isClosed)).toEqual([true])
  })

  it('ends what is under way before it is closed, and takes nothing after', async () => {
    const { links, opened } = linksOf([
      async () => {
        await pause(30)
        return ['done']
      },
    ])
    const running = links.run('', [])
    await links.close()

    expect((await running).rows).toEqual(['done'])
    expect(opened[0]!.isClosed).toBe(true)
    await expect(links.run('', [])).rejects.toMatchObject({ code: 'TASKS_STOPPED' })
  })
})
