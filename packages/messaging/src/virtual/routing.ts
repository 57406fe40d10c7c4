/**
 * Which queues one publish reaches: the bindings of its exchange, of the exchanges bound to that, and of
 * the alternate exchange when nothing else takes it. Read once for each batch.
 */
import type { Headers } from '../message/message.ts'
import type { Binding, ExchangeBinding } from '../topology/binding.ts'
import type { ExchangeType } from '../topology/exchange.ts'
import { matchers, type Matchable } from './exchange-types.ts'
import type { MessageStore } from './store.ts'

/** Those whose binding matches. Pure. */
export function matching<B extends Matchable>(
  type: ExchangeType,
  bindings: readonly B[],
  routingKey: string,
  headers: Headers,
): B[] {
  // Types of plug-ins are refused when they are declared; one found all the same compares keys.
  const matches = matchers[type] ?? matchers['direct']!
  return bindings.filter((binding) => matches(binding, routingKey, headers))
}

export interface Route {
  readonly type: ExchangeType
  readonly bindings: readonly Binding[]
  readonly onwards: readonly ExchangeBinding[]
  readonly alternate: string | undefined
}

/** Exchanges one message may pass on its way: bindings of exchanges may form circles. */
export class Router {
  readonly #store: MessageStore
  readonly #routes = new Map<string, Promise<Route>>()

  constructor(store: MessageStore) {
    this.#store = store
  }

  /** What is known of an exchange; asked once. */
  route(exchange: string): Promise<Route> {
    let known = this.#routes.get(exchange)
    if (!known) this.#routes.set(exchange, (known = this.#read(exchange)))
    return known
  }

  /** Each queue at most once, in binding order. */
  async queues(exchange: string, routingKey: string, headers: Headers): Promise<string[]> {
    const queues = new Set<string>()
    await this.#collect(exchange, routingKey, headers, queues, new Set())
    return [...queues]
  }

  async #collect(
    exchange: string,
    routingKey: string,
    headers: Headers,
    queues: Set<string>,
    passed: Set<string>,
  ): Promise<void> {
    if (passed.has(exchange)) return
    passed.add(exchange)
    if (exchange === '') return void queues.add(routingKey)
    const { type, bindings, onwards, alternate } = await this.route(exchange)
    const here = matching(type, bindings, routingKey, headers)
    for (const { queue } of here) queues.add(queue)
    const next = matching(type, onwards, routingKey, headers)
    for (const { to } of next) await this.#collect(to, routingKey, headers, queues, passed)
    // By what matches, not by what is new: another way may have led to the same queue before.
    if (alternate !== undefined && here.length + next.length === 0)
      await this.#collect(alternate, routingKey, headers, queues, passed)
  }

  async #read(name: string): Promise<Route> {
    const [exchange, bindings, onwards] = await Promise.all([
      this.#store.findExchange(name),
      this.#store.readBindings(name),
      this.#store.readExchangeBindings?.(name) ?? [],
    ])
    const alternate = exchange?.arguments['alternate-exchange']
    return {
      type: exchange?.type ?? 'direct',
      bindings,
      onwards,
      alternate: typeof alternate === 'string' ? alternate : undefined,
    }
  }
}
