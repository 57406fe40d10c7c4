/** The verbs of a virtual channel that make, find and remove exchanges, queues and bindings. */
import { MessagingError } from '../kernel/errors.ts'
import type { Binding, ExchangeBinding } from '../topology/binding.ts'
import type { Exchange } from '../topology/exchange.ts'
import type { Queue } from '../topology/queue.ts'
import { notSupported } from '../transport/capabilities.ts'
import type { QueueStatus } from '../transport/channel.ts'
import { queueNotFound, refuseArguments, refuseDifference, refused } from './refusals.ts'
import type { VirtualSession } from './session.ts'

export class Declarations {
  readonly #session: VirtualSession

  constructor(session: VirtualSession) {
    this.#session = session
  }

  async declareExchange(exchange: Exchange, options: { passive?: boolean } = {}): Promise<void> {
    const { store, capabilities, name } = this.#session
    if (exchange.name === '') return
    if (options.passive) {
      if (await store.findExchange(exchange.name)) return
      if ((await store.readBindings(exchange.name)).length > 0) return
      throw refused(`no exchange '${exchange.name}' here`)
    }
    if (!capabilities.exchangeTypes.includes(exchange.type))
      throw notSupported(name, `declare an exchange of type '${exchange.type}'`)
    const before = await store.findExchange(exchange.name)
    if (before && before.type !== exchange.type) {
      throw refused(
        `exchange '${exchange.name}' is of type '${before.type}', not '${exchange.type}'; remove it first or declare it as it is`,
      )
    }
    await store.declareExchange(exchange)
  }

  async removeExchange(name: string, options: { ifUnused?: boolean } = {}): Promise<void> {
    const { store } = this.#session
    if (options.ifUnused) {
      const onwards = (await store.readExchangeBindings?.(name)) ?? []
      if (onwards.length + (await store.readBindings(name)).length > 0)
        throw refused(`exchange '${name}' has bindings`)
    }
    await store.removeExchange(name)
  }

  async declareQueue(queue: Queue, options: { passive?: boolean } = {}): Promise<QueueStatus> {
    const { store, capabilities, ambient, queues } = this.#session
    const name = queue.name === '' ? `amq.gen-${ambient.nextId()}` : queue.name
    if (options.passive) {
      if (!(await store.hasQueue(name))) throw queueNotFound(name)
    } else {
      refuseArguments(this.#session.name, capabilities, queue)
      const before = await store.findQueue?.(name)
      if (before) refuseDifference(before, queue)
      await store.declareQueue({ ...queue, name })
      queues.set(name, { ...queue, name })
    }
    return { name, messages: await store.count(name), consumers: await this.#consumers(name) }
  }

  async removeQueue(
    name: string,
    options: { ifUnused?: boolean; ifEmpty?: boolean } = {},
  ): Promise<number> {
    const { store, broadcastBindings, queues } = this.#session
    if (options.ifUnused && (await this.#consumers(name)) > 0)
      throw refused(`queue '${name}' has consumers`)
    if (options.ifEmpty && (await store.count(name)) > 0)
      throw refused(`queue '${name}' is not empty`)
    broadcastBindings.delete(name)
    queues.forget(name)
    return await store.removeQueue(name)
  }

  async bind(binding: Binding): Promise<void> {
    const { store, broadcastBindings } = this.#session
    const exchange = await store.findExchange(binding.exchange)
    await store.bind(binding, exchange)
    if (exchange?.type === 'fanout' && store.broadcast) {
      const bindings = broadcastBindings.get(binding.queue) ?? []
      // Declared again, by whoever: still one subscription, or messages would come twice.
      if (
        !bindings.some((b) => b.exchange === exchange.name && b.routingKey === binding.routingKey)
      )
        broadcastBindings.set(binding.queue, [...bindings, binding])
    }
  }

  async unbind(binding: Binding): Promise<void> {
    const { store, broadcastBindings } = this.#session
    await store.unbind(binding, await store.findExchange(binding.exchange))
    const left = broadcastBindings
      .get(binding.queue)
      ?.filter((b) => b.exchange !== binding.exchange || b.routingKey !== binding.routingKey)
    if (left?.length === 0) broadcastBindings.delete(binding.queue)
    else if (left) broadcastBindings.set(binding.queue, left)
  }

  async bindExchange(binding: ExchangeBinding): Promise<void> {
    await this.#onwards('bindExchange').call(this.#session.store, await this.#both(binding))
  }

  async unbindExchange(binding: ExchangeBinding): Promise<void> {
    await this.#onwards('unbindExchange').call(this.#session.store, binding)
  }

  #onwards(verb: 'bindExchange' | 'unbindExchange'): (binding: ExchangeBinding) => Promise<void> {
    const { store, capabilities, name } = this.#session
    const bind = capabilities.exchangeBindings ? store[verb] : undefined
    if (!bind) throw notSupported(name, 'bind an exchange to an exchange')
    return bind
  }

  /** Both ends must be there, or messages would vanish between them. */
  async #both(binding: ExchangeBinding): Promise<ExchangeBinding> {
    for (const name of [binding.exchange, binding.to]) {
      if (await this.#session.store.findExchange(name)) continue
      throw new MessagingError(
        'MESSAGING_DECLARATION_REFUSED',
        'channel',
        `no exchange '${name}' here; declare it before binding it`,
      )
    }
    return binding
  }

  async #consumers(queue: string): Promise<number> {
    const { store, consumers } = this.#session
    return (await store.consumers?.(queue)) ?? consumers.get(queue)?.size ?? 0
  }
}
