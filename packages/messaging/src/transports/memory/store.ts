/** The reference implementation of the store contract: maps in this process. */
import { MessagingError } from '../../kernel/errors.ts'
import type { Binding, ExchangeBinding } from '../../topology/binding.ts'
import type { Exchange } from '../../topology/exchange.ts'
import type { Queue } from '../../topology/queue.ts'
import type { PublishFailures } from '../../transport/channel.ts'
import { boundedPriority } from '../../virtual/priorities.ts'
import type {
  MessageStore,
  Push,
  Settlement,
  StoreContext,
  Taken,
  TickResult,
} from '../../virtual/store.ts'
import { refused } from '../../virtual/refusals.ts'
import type { Held, MemoryBroker } from './broker.ts'

const longestTimerMs = 2 ** 31 - 1

export class MemoryStore implements MessageStore {
  readonly server = 'memory'
  readonly tickMs = 5000
  readonly closed: Promise<MessagingError | undefined>
  readonly #broker: MemoryBroker
  readonly #context: StoreContext
  readonly #held = new Map<string, Held>()
  /** Queues it consumes, each as often as it has consumers. */
  readonly #joined: string[] = []
  #resolveClosed!: (reason: undefined) => void

  constructor(broker: MemoryBroker, context: StoreContext) {
    this.#broker = broker
    this.#context = context
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve))
  }

  async declareQueue(queue: Queue): Promise<void> {
    this.#checkOwner(queue.name)
    const owner = queue.exclusive ? this.#context.session : undefined
    this.#broker.declare(queue, owner, this.#now)
    if (queue.arguments['x-expires'] !== undefined) this.#context.events.onDue()
  }

  async findQueue(name: string): Promise<Queue | undefined> {
    return this.#broker.find(name)?.declared
  }

  async hasQueue(name: string): Promise<boolean> {
    return this.#broker.find(name) !== undefined
  }

  async removeQueue(name: string): Promise<number> {
    this.#checkOwner(name)
    return this.#broker.remove(name)
  }

  async count(queue: string): Promise<number> {
    return this.#broker.count(queue)
  }

  async purge(queue: string): Promise<number> {
    this.#checkOwner(queue)
    return this.#broker.purge(queue)
  }

  async declareExchange(exchange: Exchange): Promise<void> {
    this.#broker.exchanges.set(exchange.name, exchange)
  }

  async findExchange(name: string): Promise<Exchange | undefined> {
    return this.#broker.exchanges.get(name)
  }

  async removeExchange(name: string): Promise<void> {
    this.#broker.removeExchange(name)
  }

  async bind(binding: Binding): Promise<void> {
    const bindings = this.#broker.bindings.get(binding.exchange) ?? []
    const others = bindings.filter((other) => !isSame(other, binding))
    this.#broker.bindings.set(binding.exchange, [...others, binding])
  }

  async unbind(binding: Binding): Promise<void> {
    this.#broker.unbind(binding.exchange, (other) => isSame(other, binding))
  }

  async readBindings(exchange: string): Promise<readonly Binding[]> {
    return this.#broker.bindings.get(exchange) ?? []
  }

  async bindExchange(binding: ExchangeBinding): Promise<void> {
    const bindings = this.#broker.onwards.get(binding.exchange) ?? []
    const others = bindings.filter((other) => !isSame(other, binding))
    this.#broker.onwards.set(binding.exchange, [...others, binding])
  }

  async unbindExchange(binding: ExchangeBinding): Promise<void> {
    this.#broker.unbindExchange(binding.exchange, (other) => isSame(other, binding))
  }

  async readExchangeBindings(exchange: string): Promise<readonly ExchangeBinding[]> {
    return this.#broker.onwards.get(exchange) ?? []
  }

  async push(batch: readonly Push[]): Promise<PublishFailures> {
    let failures: Map<number, MessagingError> | undefined
    for (const [i, { queue, text, priority, expiresAtMs, dueAtMs }] of batch.entries()) {
      const receipt = this.#broker.nextReceipt()
      const held = {
        receipt,
        queue,
        text,
        priority: boundedPriority(priority),
        expiresAtMs,
        attempts: 0,
      }
      if (dueAtMs !== undefined) this.#broker.delay(held, dueAtMs)
      else if (!this.#broker.put(held)) (failures ??= new Map()).set(i, queueFull(queue))
    }
    if (this.#broker.hasDead) this.#context.events.onDue()
    return failures
  }

  async take(queues: readonly string[], max: number): Promise<Taken[]> {
    for (const queue of queues) this.#checkOwner(queue)
    const taken: Taken[] = []
    while (taken.length < max) {
      let best: string | undefined
      let urgency = -Infinity
      for (const queue of queues) {
        const found = this.#broker.urgency(queue)
        if (found !== undefined && found > urgency) [best, urgency] = [queue, found]
      }
      if (best === undefined) break
      // One queue alone may fill the batch; several take turns message by message.
      const count = queues.length === 1 ? max - taken.length : 1
      const held = this.#broker.take(best, count, this.#now)
      if (queues.length > 1) queues = [...queues.filter((queue) => queue !== best), best]
      for (const one of held) taken.push(this.#hold(one))
    }
    return taken
  }

  async wait(queues: readonly string[], signal: AbortSignal): Promise<void> {
    if (signal.aborted || queues.some((queue) => this.#broker.count(queue) > 0)) return
    await new Promise<void>((resolve) => {
      // Whoever consumes keeps the process alive, as the socket to any other broker does.
      const cancel = this.#context.ambient.clock.after(longestTimerMs, () => undefined)
      const done = (): void => {
        cancel()
        off()
        signal.removeEventListener('abort', done)
        resolve()
      }
      const off = this.#broker.listen((queue) => {
        if (queues.includes(queue)) done()
      })
      signal.addEventListener('abort', done, { once: true })
    })
  }

  async settle(batch: readonly Settlement[]): Promise<void> {
    for (const { taken, outcome } of batch) this.#settle(taken, outcome)
  }

  async tick(): Promise<TickResult> {
    const { restored, dead, nextDueMs } = this.#broker.release(this.#now)
    const expired = dead.map(({ held, crowdedOut }) => ({ ...this.#hold(held), crowdedOut }))
    return { restored, nextDueMs, expired }
  }

  async join(queue: string): Promise<void> {
    this.#checkOwner(queue)
    this.#joined.push(queue)
    this.#broker.join(queue, this.#now)
  }

  async leave(queue: string): Promise<void> {
    const at = this.#joined.indexOf(queue)
    if (at < 0) return
    this.#joined.splice(at, 1)
    this.#broker.leave(queue, this.#now)
  }

  consumers(queue: string): number {
    return this.#broker.find(queue)?.consumers ?? 0
  }

  async close(): Promise<void> {
    for (const held of [...this.#held.values()].reverse()) {
      held.attempts--
      this.#broker.giveBack(held, true)
    }
    this.#held.clear()
    for (const queue of this.#joined.splice(0)) this.#broker.leave(queue, this.#now)
    this.#broker.removeOwned(this.#context.session)
    this.#resolveClosed(undefined)
  }

  get #now(): number {
    return this.#context.ambient.clock.now()
  }

  #hold(held: Held): Taken {
    this.#held.set(held.receipt, held)
    const { receipt, queue, text, attempts } = held
    held.attempts++
    return { receipt, queue, text, attempts }
  }

  #settle(taken: Taken, outcome: Settlement['outcome']): void {
    const held = this.#held.get(taken.receipt)
    if (!held || !this.#held.delete(taken.receipt)) return
    if (outcome === 'remove') return
    if (outcome === 'requeue') this.#broker.giveBack(held, false)
    else if (outcome === 'restore') {
      // Given back unused, which is not a failed attempt.
      held.attempts--
      this.#broker.giveBack(held, true)
    } else {
      // Waiting for its hour is not a failed attempt.
      held.attempts--
      this.#broker.delay(held, outcome.delayUntilMs)
    }
  }

  #checkOwner(name: string): void {
    const owner = this.#broker.find(name)?.owner
    if (owner !== undefined && owner !== this.#context.session)
      throw refused(`queue '${name}' is exclusive to another connection`)
  }
}

function queueFull(queue: string): MessagingError {
  return new MessagingError(
    'MESSAGING_PUBLISH_REFUSED',
    'message',
    `queue '${queue}' is full and refuses new messages; consume some, or raise its greatest length`,
  )
}

interface Key {
  readonly queue?: string
  readonly to?: string
  readonly routingKey: string
  readonly arguments: Readonly<Record<string, unknown>>
}

function isSame(a: Key, b: Key): boolean {
  return (
    a.queue === b.queue &&
    a.to === b.to &&
    a.routingKey === b.routingKey &&
    JSON.stringify(a.arguments) === JSON.stringify(b.arguments)
  )
}
