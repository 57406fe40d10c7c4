// What a session hands on to the one that follows when only the link broke, on a store made for the test.
import { describe, expect, it } from '@jest/globals'
import { Connection } from '../../src/connection/connection.ts'
import { silentLogger } from '../../src/kernel/log.ts'
import { MessagingError } from '../../src/kernel/errors.ts'
import type { Delivery } from '../../src/message/delivery.ts'
import { message } from '../../src/message/message.ts'
import { capabilities } from '../../src/transports/memory/transport.ts'
import { encodeEnvelope } from '../../src/virtual/envelope.ts'
import type { MessageStore, Settlement } from '../../src/virtual/store.ts'
import { virtualTransport } from '../../src/virtual/transport.ts'

const lost = new MessagingError('MESSAGING_CONNECTION_LOST', 'connection', 'pulled')

/** A broker with one queue whose sessions go on under their name, unless it forgot them. */
function broker() {
  const state = {
    waiting: [] as { receipt: string; text: string }[],
    /** Receipt → name of the session that holds it. */
    held: new Map<string, string>(),
    settled: [] as string[],
    givenBack: [] as string[],
    kept: [] as boolean[],
    forgets: false,
    /** The link breaks under a claim, before anything else says so. */
    claimsFail: false,
    wake: () => undefined as void,
    refuses: 0,
    break: () => undefined as void,
  }
  const transport = virtualTransport({
    name: 'resuming',
    capabilities: { ...capabilities, deadLetters: false },
    async open(_, context): Promise<MessageStore> {
      const identity = state.forgets ? context.session : (context.resumes ?? context.session)
      if (state.forgets) state.held.clear()
      let over = false
      let end!: (error: MessagingError | undefined) => void
      const closed = new Promise<MessagingError | undefined>((resolve) => (end = resolve))
      state.break = () => {
        over = true
        end(lost)
      }
      const check = () => {
        if (over) throw lost
      }
      const nothing = async () => undefined
      return {
        server: 'resuming',
        tickMs: 5000,
        closed,
        identity,
        declareQueue: nothing,
        hasQueue: async () => true,
        removeQueue: async () => 0,
        count: async () => state.waiting.length,
        purge: async () => 0,
        declareExchange: nothing,
        findExchange: nothing,
        removeExchange: nothing,
        bind: nothing,
        unbind: nothing,
        readBindings: async () => [],
        push: nothing,
        async take(queues, max) {
          check()
          if (state.claimsFail) throw lost
          return state.waiting.splice(0, max).map(({ receipt, text }) => {
            state.held.set(receipt, identity)
            return { receipt, text, queue: queues[0]! }
          })
        },
        wait: (_queues, signal) =>
          new Promise((resolve, reject) => {
            signal.addEventListener('abort', () => resolve())
            state.wake = resolve
            void closed.then((error) => reject(error))
          }),
        async settle(batch: readonly Settlement[]) {
          check()
          for (const { taken, outcome } of batch) {
            if (state.held.get(taken.receipt) !== identity) continue
            state.held.delete(taken.receipt)
            state.settled.push(`${taken.receipt} ${outcome as string}`)
          }
        },
        async giveBackBut(receipts) {
          check()
          if (state.refuses-- > 0) throw lost
          for (const receipt of state.held.keys()) {
            if (receipts.has(receipt)) continue
            state.held.delete(receipt)
            state.givenBack.push(receipt)
          }
        },
        tick: async () => ({ restored: 0, nextDueMs: undefined }),
        async close(options) {
          state.kept.push(options?.keep ?? false)
          over = true
          end(undefined)
        },
      }
    },
  })
  return { state, transports: { r: { load: async () => transport, defaultPort: undefined } } }
}

async function setup(receipts: readonly string[]) {
  const { state, transports } = broker()
  state.waiting = receipts.map((receipt) => ({
    receipt,
    text: encodeEnvelope(message(receipt), '', 'q', receipt),
  }))
  const connection = new Connection('r://', { transports, ambient: { log: silentLogger } })
  const deliveries: Delivery[] = []
  const consumer = connection.consumer({
    queues: ['q'],
    onDeliveries: (more) => deliveries.push(...more),
  })
  await consumer.start()
  await until(() => deliveries.length === receipts.length)
  const breakLink = async () => {
    const back = consumer.signals.once('ready')
    state.break()
    await back
    await until(() => true)
  }
  return { state, connection, deliveries, breakLink }
}

async function until(isTrue: () => boolean): Promise<void> {
  for (let i = 0; i < 100 && !isTrue(); i++) await new Promise((resolve) => setTimeout(resolve, 5))
  await new Promise((resolve) => setTimeout(resolve, 5))
}

describe('a session that follows one whose link broke', () => {
  it('is told what was settled meanwhile, and keeps what was not', async () => {
    const { state, connection, deliveries, breakLink } = await setup(['a', 'b', 'c'])
    const interrupted = new Promise<void>((resolve) => {
      connection.signals.on('disconnected', () => {
        // There is no link at this moment.
        void deliveries[0]!.ack().then(resolve)
      })
    })

    await breakLink()
    await interrupted

    expect(state.settled).toEqual(['a remove'])
    expect([...state.held.keys()]).toEqual(['b', 'c'])
    await deliveries[1]!.ack()
    await deliveries[2]!.requeue()
    expect(state.settled).toEqual(['a remove', 'b remove', 'c requeue'])
    expect(state.kept).toEqual([true])
    await connection.close()
  })

  it('keeps what was handed out when a claim is the first to hear of the break', async () => {
    const { state, connection, deliveries } = await setup(['a', 'b'])
    const back = connection.signals.once('connected')
    state.claimsFail = true
    state.wake()
    await connection.signals.once('disconnected')
    state.claimsFail = false
    await back
    await until(() => true)

    await deliveries[0]!.ack()
    expect(state.givenBack).toEqual([])
    expect(state.settled).toEqual(['a remove'])
    expect([...state.held.keys()]).toEqual(['b'])
    await connection.close()
  })

  it('gives back what it holds and nobody here knows of', async () => {
    const { state, connection, breakLink } = await setup(['a'])
    // Claimed, but the answer never came.
    state.held.set('unheard', [...state.held.values()][0]!)

    await breakLink()

    expect(state.givenBack).toEqual(['unheard'])
    expect([...state.held.keys()]).toEqual(['a'])
    await connection.close()
  })

  it('hands on over several breaks, and through an attempt that failed', async () => {
    const { state, connection, deliveries, breakLink } = await setup(['a', 'b'])
    await breakLink()
    state.refuses = 2
    await breakLink()
    await breakLink()

    await deliveries[0]!.ack()

    expect(state.settled).toEqual(['a remove'])
    expect([...state.held.keys()]).toEqual(['b'])
    await connection.close()
  })

  it('settles nothing of a session that the broker gave up', async () => {
    const { state, connection, deliveries, breakLink } = await setup(['a'])
    state.forgets = true

    await breakLink()
    await deliveries[0]!.ack()

    expect([state.settled, state.givenBack]).toEqual([[], []])
    await connection.close()
  })

  it('refuses a second settlement all the same', async () => {
    const { deliveries, connection, breakLink } = await setup(['a'])
    await breakLink()
    await deliveries[0]!.ack()

    await expect(deliveries[0]!.ack()).rejects.toMatchObject({ code: 'MESSAGING_ALREADY_SETTLED' })
    await connection.close()
  })
})
