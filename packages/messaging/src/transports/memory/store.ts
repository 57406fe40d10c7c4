/** The reference implementation of the store contract: maps in this process. */
import type { MessagingError } from '../../kernel/errors.ts'
import type { Binding } from '../../topology/binding.ts'
import type { Exchange } from '../../topology/exchange.ts'
import type { Queue } from '../../topology/queue.ts'
import type {
  MessageStore,
  Push,
  Settlement,
  StoreContext,
  Taken,
  TickResult,
} from '../../virtual/store.ts'
import type { Held, MemoryBroker } from './broker.ts'

export class MemoryStore implements MessageStore {
  readonly server = 'memory'
  readonly tickMs = 5000
  readonly closed: Promise<MessagingError | undefined>
  readonly #broker: MemoryBroker
  readonly #context: StoreContext
  readonly #held = new Map<string, Held>()
  #resolveClosed!: (reason: undefined) => void

  constructor(broker: MemoryBroker, context: StoreContext) {
    this.#broker = broker
    this.#context = context
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve))
  }

  async declareQueue(queue: Queue): Promise<void> {
    this.#broker.declared.add(queue.name)
  }

  async hasQueue(name: string): Promise<boolean> {
    return this.#broker.declared.has(name) || this.#broker.count(name) > 0
  }

  async removeQueue(name: string): Promise<number> {
    this.#broker.declared.delete(name)
    for (const [exchange, bindings] of this.#broker.bindings) {
      this.#broker.bindings.set(
        exchange,
        bindings.filter((binding) => binding.queue !== name),
      )
    }
    return this.#broker.purge(name)
  }

  async count(queue: string): Promise<number> {
    return this.#broker.count(queue)
  }

  async purge(queue: string): Promise<number> {
    return this.#broker.purge(queue)
  }

  async declareExchange(exchange: Exchange): Promise<void> {
    this.#broker.exchanges.set(exchange.name, exchange)
  }

  async findExchange(name: string): Promise<Exchange | undefined> {
    return this.#broker.exchanges.get(name)
  }

  async removeExchange(name: string): Promise<void> {
    this.#broker.exchanges.delete(name)
    this.#broker.bindings.delete(name)
  }

  async bind(binding: Binding): Promise<void> {
    const bindings = this.#broker.bindings.get(binding.exchange) ?? []
    const others = bindings.filter((other) => !sameBinding(other, binding))
    this.#broker.bindings.set(binding.exchange, [...others, binding])
  }

  async unbind(binding: Binding): Promise<void> {
    const bindings = this.#broker.bindings.get(binding.exchange) ?? []
    this.#broker.bindings.set(
      binding.exchange,
      bindings.filter((other) => !sameBinding(other, binding)),
    )
  }

  async readBindings(exchange: string): Promise<readonly Binding[]> {
    return this.#broker.bindings.get(exchange) ?? []
  }

  async push(batch: readonly Push[]): Promise<void> {
    for (const { queue, text, priority } of batch) {
      const receipt = this.#broker.nextReceipt()
      this.#broker.put({ receipt, queue, text, priority: priority ?? 0, attempts: 0 }, false)
    }
  }

  async take(queues: readonly string[], max: number): Promise<Taken[]> {
    this.#broker.release(this.#context.ambient.clock.now())
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
      const held = this.#broker.take(best, queues.length === 1 ? max - taken.length : 1)
      if (queues.length > 1) queues = [...queues.filter((queue) => queue !== best), best]
      for (const one of held) {
        this.#held.set(one.receipt, one)
        taken.push({ ...one })
        one.attempts++
      }
    }
    return taken
  }

  async wait(queues: readonly string[], signal: AbortSignal): Promise<void> {
    if (signal.aborted || queues.some((queue) => this.#broker.count(queue) > 0)) return
    await new Promise<void>((resolve) => {
      const done = (): void => {
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

  #settle(taken: Taken, outcome: Settlement['outcome']): void {
    const held = this.#held.get(taken.receipt)
    if (!held || !this.#held.delete(taken.receipt)) return
    if (outcome === 'remove') return
    if (outcome === 'requeue') this.#broker.put(held, false)
    else if (outcome === 'restore') {
      // Given back unused, which is not a failed attempt.
      held.attempts--
      this.#broker.put(held, true)
    } else {
      // Waiting for its hour is not a failed attempt.
      held.attempts--
      this.#broker.delay(held, outcome.delayUntilMs)
    }
  }

  async tick(): Promise<TickResult> {
    return this.#broker.release(this.#context.ambient.clock.now())
  }

  async close(): Promise<void> {
    for (const held of [...this.#held.values()].reverse()) {
      held.attempts--
      this.#broker.put(held, true)
    }
    this.#held.clear()
    this.#resolveClosed(undefined)
  }
}

function sameBinding(a: Binding, b: Binding): boolean {
  return (
    a.queue === b.queue &&
    a.routingKey === b.routingKey &&
    JSON.stringify(a.arguments) === JSON.stringify(b.arguments)
  )
}
