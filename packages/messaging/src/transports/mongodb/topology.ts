/** Queues, exchanges and bindings: Kombu's documents, and beside them what Kombu keeps in its processes. */
import type { MongoCollection, MongoDocument, MongoLink } from '../../clients/mongodb.ts'
import type { Binding } from '../../topology/binding.ts'
import {
  exchange as makeExchange,
  type Arguments,
  type Exchange,
  type ExchangeType,
} from '../../topology/exchange.ts'
import { queue as makeQueue, type Queue } from '../../topology/queue.ts'
import { kombuPattern } from '../../virtual/kombu-pattern.ts'
import type { Settings } from './schema.ts'

export class Topology {
  readonly #link: MongoLink
  readonly #settings: Settings
  /** What this session has stored already: every channel declares its queues anew. */
  readonly #stored = new Map<string, string>()

  constructor(link: MongoLink, settings: Settings) {
    this.#link = link
    this.#settings = settings
  }

  async declareQueue(queue: Queue): Promise<void> {
    const options = {
      durable: queue.durable,
      exclusive: queue.exclusive,
      auto_delete: queue.autoDelete,
      arguments: queue.arguments,
    }
    await this.#store(this.#queues, queue.name, { options })
  }

  async findQueue(name: string): Promise<Queue | undefined> {
    const found = await this.#run('look', () => this.#queues.findOne({ _id: name as never }))
    if (!found) return undefined
    const options = (found['options'] ?? {}) as MongoDocument
    return makeQueue(name, {
      durable: options['durable'] !== false,
      exclusive: options['exclusive'] === true,
      autoDelete: options['auto_delete'] === true,
      arguments: (options['arguments'] ?? {}) as Arguments,
    })
  }

  /** Not its messages. */
  async removeQueue(name: string): Promise<void> {
    await this.#run('remove', () => this.#routing.deleteMany({ queue: name }))
    await this.#run('remove', () => this.#queues.deleteOne({ _id: name as never }))
  }

  async declareExchange({ name, type, durable, autoDelete, ...rest }: Exchange): Promise<void> {
    const change = { type, durable, auto_delete: autoDelete, arguments: textOf(rest.arguments) }
    await this.#store(this.#exchanges, name, change)
  }

  /**
   * Kombu stores no types: its exchanges are topics when their bindings carry patterns. Nothing tells a
   * direct one from a fanout, so that it can still be declared as either.
   */
  async findExchange(name: string): Promise<Exchange | undefined> {
    const found = await this.#run('look', () => this.#exchanges.findOne({ _id: name as never }))
    if (found) {
      return makeExchange(name, {
        type: found['type'] as ExchangeType,
        durable: found['durable'] !== false,
        autoDelete: found['auto_delete'] === true,
        arguments: argumentsOf(found['arguments']),
      })
    }
    const bindings = await this.#run('look', () =>
      this.#routing.find({ exchange: name }, { projection: { pattern: 1 } }).toArray(),
    )
    const isTopic = bindings.some(({ pattern }) => typeof pattern === 'string' && pattern !== '')
    return isTopic ? makeExchange(name, { type: 'topic' }) : undefined
  }

  async removeExchange(name: string): Promise<void> {
    await this.#run('remove', () => this.#routing.deleteMany({ exchange: name }))
    await this.#run('remove', () => this.#exchanges.deleteOne({ _id: name as never }))
  }

  async bind(binding: Binding, exchange: Exchange | undefined): Promise<void> {
    await this.#upsert(this.#routing, lookup(binding, exchange), {})
  }

  async unbind(binding: Binding): Promise<void> {
    const { exchange, queue, routingKey, arguments: args } = binding
    const filter = { exchange, queue, routing_key: routingKey, ...argumentsFilter(args) }
    await this.#run('unbind', () => this.#routing.deleteMany(filter))
  }

  async readBindings(exchange: string): Promise<readonly Binding[]> {
    const found = await this.#run('look', () => this.#routing.find({ exchange }).toArray())
    return found.map(({ queue, routing_key: routingKey, arguments: args }) => ({
      exchange,
      queue: String(queue),
      routingKey: typeof routingKey === 'string' ? routingKey : '',
      arguments: argumentsOf(args),
    }))
  }

  get #queues() {
    return this.#link.collection(this.#settings.names.queues)
  }

  get #routing() {
    return this.#link.collection(this.#settings.names.routing)
  }

  get #exchanges() {
    return this.#link.collection(this.#settings.names.exchanges)
  }

  async #run<T>(what: string, work: () => Promise<T>): Promise<T> {
    return await this.#link.run(what, work)
  }

  /** Once, as long as nobody removes it. */
  async #store(collection: MongoCollection, name: string, change: MongoDocument): Promise<void> {
    const key = `${collection.collectionName} ${name}`
    const text = JSON.stringify(change)
    const one = { projection: { _id: 1 } }
    const look = () => collection.findOne({ _id: name as never }, one)
    if (this.#stored.get(key) === text && (await this.#run('look', look))) return
    await this.#upsert(collection, { _id: name }, change)
    this.#stored.set(key, text)
  }

  async #upsert(
    collection: ReturnType<MongoLink['collection']>,
    filter: MongoDocument,
    change: MongoDocument,
  ): Promise<void> {
    const { _id: _, ...rest } = filter
    const set = { ...rest, ...change }
    await this.#run('declare', () => collection.updateOne(filter, { $set: set }, { upsert: true }))
  }
}

/** The fields by which Kombu finds a binding again; arguments only for exchanges that Kombu has not. */
function lookup(
  { exchange, queue, routingKey, arguments: args }: Binding,
  kind: Exchange | undefined,
): MongoDocument {
  return {
    exchange,
    queue,
    routing_key: routingKey,
    pattern: kind?.type === 'topic' ? kombuPattern(routingKey) : null,
    ...(Object.keys(args).length > 0 && { arguments: textOf(args) }),
  }
}

function argumentsFilter(args: Arguments): MongoDocument {
  return { arguments: Object.keys(args).length > 0 ? textOf(args) : { $exists: false } }
}

/** The same text for equal arguments, whatever the order of their names. */
function textOf(args: Arguments): string {
  const sorted = Object.entries(args).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify(Object.fromEntries(sorted))
}

function argumentsOf(text: unknown): Arguments {
  return typeof text === 'string' ? (JSON.parse(text) as Arguments) : {}
}
