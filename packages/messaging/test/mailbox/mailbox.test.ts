import { afterEach, describe, expect, it } from '@jest/globals'
import { Connection } from '../../src/connection/connection.ts'
import { Mailbox, type MailboxOptions } from '../../src/mailbox/mailbox.ts'
import { globToRegExp, matches, matchers } from '../../src/mailbox/matchers.ts'

const open: Connection[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((connection) => connection.close()))
})

let count = 0
async function setup(names: readonly string[], options: MailboxOptions = { type: 'fanout' }) {
  const url = `memory://mailbox-${++count}`
  const connect = () => {
    const connection = new Connection(url)
    open.push(connection)
    return connection
  }
  const heard: string[] = []
  for (const name of names) {
    const node = new Mailbox(connect(), 'celery', options).node(name, {
      state: { heard },
      handlers: {
        ping: () => ({ ok: 'pong' }),
        note: ({ text }, { node: who, state, replies }) => {
          state.heard.push(`${who} ${String(text)} ${replies}`)
        },
        fail: () => {
          throw new TypeError("it's broken")
        },
        unsendable: () => () => 1,
      },
    })
    await node.start()
  }
  const connection = connect()
  return { connection, heard, mailbox: new Mailbox(connection, 'celery', options) }
}

let ended: Promise<{ node: string; value: unknown }[]> | undefined

const nodesOf = (replies: readonly { node: string }[]) => replies.map(({ node }) => node).toSorted()

describe('a mailbox', () => {
  it('asks all nodes when it names none', async () => {
    const { mailbox } = await setup(['a', 'b'])

    const replies = await mailbox.call('ping', {}, { destination: [], timeout: 0.1 })

    expect(nodesOf(replies)).toEqual(['a', 'b'])
  })

  it('ends its calls when it is closed', async () => {
    const { mailbox } = await setup(['a'])
    const first = new Promise<void>((resolve) => {
      const call = mailbox.call('ping', {}, { timeout: 60, onReply: () => resolve() })
      ended = call
    })
    await first
    await mailbox.close()

    expect(nodesOf(await ended!)).toEqual(['a'])
  })

  it('begins nothing that would go on after it', async () => {
    const { mailbox, connection } = await setup([])
    const call = mailbox.call('ping')
    const closing = mailbox.close()

    await expect(call).rejects.toMatchObject({ code: 'MESSAGING_CONNECTION_CLOSED' })
    await closing
    expect(connection.state).toBe('idle')
  })

  it('collects the answers of all nodes until its time is over', async () => {
    const { mailbox } = await setup(['a', 'b', 'c'])

    const replies = await mailbox.call('ping', {}, { timeout: 0.2 })

    expect(nodesOf(replies)).toEqual(['a', 'b', 'c'])
    expect(replies[0]!.value).toEqual({ ok: 'pong' })
  })

  it('is done as soon as all who were asked by name have answered', async () => {
    const { mailbox } = await setup(['a', 'b', 'c'])
    const seen: string[] = []

    const replies = await mailbox.call(
      'ping',
      {},
      { destination: ['a', 'c'], timeout: 60, onReply: ({ node }) => seen.push(node) },
    )

    expect(nodesOf(replies)).toEqual(['a', 'c'])
    expect(seen.toSorted()).toEqual(['a', 'c'])
  })

  it.each([
    ['glob', 'worker-?@*', ['worker-1@x', 'worker-2@x']],
    ['pcre', 'worker-(1|10)@', ['worker-10@x', 'worker-1@x']],
  ])('asks those that match a %s', async (matcher, pattern, expected) => {
    const { mailbox } = await setup(['worker-1@x', 'worker-2@x', 'worker-10@x'])

    const replies = await mailbox.call('ping', {}, { pattern, matcher, timeout: 0.2 })

    expect(nodesOf(replies)).toEqual(expected.toSorted())
  })

  it('tells without waiting for anything', async () => {
    const { mailbox, heard } = await setup(['a', 'b'])

    await mailbox.cast('note', { text: 'hi' }, { destination: ['b'] })
    await mailbox.call('ping', {}, { destination: ['b'] })

    expect(heard).toEqual(['b hi false'])
  })

  it('answers with the error of a handler, of an unknown method and of an unsendable value', async () => {
    const { mailbox } = await setup(['a'])
    const ask = async (method: string) =>
      (await mailbox.call(method, {}, { destination: ['a'] }))[0]?.value

    expect(await ask('fail')).toEqual({ error: 'TypeError("it\'s broken")' })
    expect(await ask('nothing')).toEqual({ error: "KeyError('nothing')" })
    expect(await ask('unsendable')).toEqual({ error: expect.stringContaining('MessagingError(') })
    expect(await ask('note')).toBeNull()
  })

  it('keeps the answers of several callers apart', async () => {
    const { mailbox } = await setup(['a', 'b'])

    const answers = await Promise.all(
      Array.from({ length: 20 }, () => mailbox.call('ping', {}, { limit: 2, timeout: 5 })),
    )

    expect(answers.every((replies) => nodesOf(replies).join() === 'a,b')).toBe(true)
  })

  it('ends when it is told to, with what has come', async () => {
    const { mailbox } = await setup(['a'])
    const stop = new AbortController()

    const replies = await mailbox.call(
      'ping',
      {},
      { timeout: 60, signal: stop.signal, onReply: () => stop.abort() },
    )

    expect(nodesOf(replies)).toEqual(['a'])
  })

  it('moves its clock forward with every message', async () => {
    const { mailbox } = await setup(['a'])

    await mailbox.call('ping', {}, { destination: ['a'] })

    // Sent 1, the node heard it at 2 and answered at 3, and here it is 4.
    expect(mailbox.clock.value).toBe(4)
  })

  it('allows a name once', async () => {
    const { connection } = await setup(['a'])

    await expect(
      new Mailbox(connection, 'celery', { type: 'fanout' }).node('a').start(),
    ).rejects.toMatchObject({ code: 'MESSAGING_DECLARATION_REFUSED' })
  })

  it('refuses durable exclusive queues', () => {
    const connection = new Connection('memory://x')
    expect(
      () => new Mailbox(connection, 'celery', { queueDurable: true, queueExclusive: true }),
    ).toThrow(expect.objectContaining({ code: 'MESSAGING_OPTION_INVALID' }))
  })
})

describe('matchers', () => {
  it.each([
    ['*', 'anything', true],
    ['a?c', 'abc', true],
    ['a?c', 'ac', false],
    ['[a-c]x', 'bx', true],
    ['[!a-c]x', 'bx', false],
    ['[!a-c]x', 'dx', true],
    ['[]]', ']', true],
    ['a[', 'a[', true],
    ['a.c', 'abc', false],
    ['w@h*', 'w@h.example', true],
    ['(x|y)', '(x|y)', true],
  ])('glob %s and %s: %s', (pattern, name, matched) => {
    expect(globToRegExp(pattern).test(name)).toBe(matched)
  })

  it('glob takes no time for a pattern of many stars', () => {
    expect(globToRegExp(`${'*a'.repeat(200)}*b`).test('a'.repeat(500))).toBe(false)
    expect(globToRegExp('*a*?b*[cd]*').test('xaxxbzzd')).toBe(true)
    expect(globToRegExp('*ab*ab').test('ab')).toBe(false)
    expect(globToRegExp('a**b').test('a1b')).toBe(true)
  })

  it.each([
    ['nope', 'a', 'no matcher'],
    ['toString', 'a', 'no matcher'],
    ['pcre', '(', 'cannot be read'],
    ['glob', 'a'.repeat(1001), 'at most 1000'],
  ])('%s with a bad pattern or name is refused', (matcher, pattern, why) => {
    expect(() => matches('name', pattern, matcher, matchers)).toThrow(
      expect.objectContaining({
        code: 'MESSAGING_OPTION_INVALID',
        message: expect.stringContaining(why),
      }),
    )
  })
})
