/** Results on MongoDB in Celery's collections and documents. Waiting polls, as in Celery. */
import type { Ambient } from '@celeriac/messaging'
import { loadMongoClients, type MongoDocument, type MongoLink } from '@celeriac/messaging/internal'
import type {
  BackendOptions,
  ResultBackend,
  StoredData,
  StoredResult,
} from '../../backend/backend.ts'
import { Polling } from '../../backend/polling.ts'
import type { ResultCodec } from '../../backend/result-codec.ts'
import type { ResultRecord } from '../../backend/result-record.ts'
import { idOf, readTree, type ResultTree } from '../../canvas/index.ts'
import { chunksOf, lastOfEach } from '../batches.ts'
import { backendFailed, knownOptions } from '../failures.ts'
import { Relink } from '../relink.ts'
import { documentOf, payloadOf, recordOf, valueOf, withoutNesting } from './documents.ts'
import { mongoPlace, type MongoPlace } from './settings.ts'

const chunkSize = 500
const connectMs = 4000
const deadlineSeconds = 10
/** Documents are found by id, and removed by age. */
const timeField = 'date_done'
/** Options of Celery without a meaning here. */
const passedOver = ['globalKeyprefix', 'retryPolicy', 'visibilityTimeout', 'autoStartRequest']

export class MongoBackend implements ResultBackend {
  readonly name = 'mongodb'
  readonly capabilities = {
    persistent: true,
    shared: true,
    notifies: false,
    joins: 'poll',
    groups: true,
    expires: false,
  } as const
  readonly #place: MongoPlace
  readonly #codec: ResultCodec
  readonly #expiresMs: number
  readonly #ambient: Ambient
  readonly #links: Relink<MongoLink>
  readonly #polling: Polling
  #hasIndexes = false

  constructor(options: BackendOptions, ambient: Ambient) {
    this.#place = mongoPlace(options)
    this.#codec = options.codec
    this.#expiresMs = options.expiresSeconds * 1000
    this.#ambient = ambient
    this.#links = new Relink({
      open: () => this.#connect(),
      isOver: (link) => link.isOver,
      close: (link) => link.close(),
      clock: ambient.clock,
      timeoutMs: deadlineSeconds * 1000,
    })
    this.#polling = new Polling((ids) => this.read(ids), ambient.clock)
  }

  async open(): Promise<void> {
    await this.#guard(() => this.#links.open())
  }

  async close(): Promise<void> {
    this.#polling.close()
    await this.#links.close()
  }

  encode(record: ResultRecord): StoredData {
    return documentOf(record, this.#codec)
  }

  decode(data: StoredData): ResultRecord {
    return recordOf(data, this.#codec)
  }

  async store(results: readonly StoredResult[]): Promise<void> {
    for (const chunk of chunksOf(lastOfEach(results), chunkSize)) {
      await this.#run(async (link) => {
        // Most records are the first of their task.
        const documents = chunk.map((one) => documentFor(link, one))
        const made = new Set(await link.insertNew(this.#place.tasks, documents))
        const taken = documents.filter((_, place) => !made.has(place))
        if (taken.length > 0) await this.#replace(link, taken)
      })
    }
  }

  /** One atomic step for each: a document that is a success matches nothing. */
  async #replace(link: MongoLink, documents: readonly MongoDocument[]): Promise<void> {
    const tasks = link.collection(this.#place.tasks)
    const writes = documents.map((replacement) => ({
      replaceOne: { filter: { _id: replacement['_id'], status: { $ne: 'SUCCESS' } }, replacement },
    }))
    await link.run('store', () => tasks.bulkWrite(writes, { ordered: false }))
  }

  async read(ids: readonly string[]): Promise<readonly (StoredData | undefined)[]> {
    const found = new Map<unknown, StoredData>()
    for (const chunk of chunksOf(ids, chunkSize)) {
      const documents = await this.#run((link) => {
        const tasks = link.collection(this.#place.tasks)
        return link.run('find', () => tasks.find({ _id: { $in: chunk } as never }).toArray())
      })
      for (const document of documents) found.set(document._id, document)
    }
    return ids.map((id) => found.get(id))
  }

  async subscribe(id: string, onData: (data: StoredData) => void): Promise<() => void> {
    await this.open()
    return this.#polling.subscribe(id, onData)
  }

  async forget(ids: readonly string[]): Promise<void> {
    for (const chunk of chunksOf(ids, chunkSize))
      await this.#remove(this.#place.tasks, { _id: { $in: chunk } })
  }

  async storeGroup(groupId: string, tree: ResultTree): Promise<void> {
    const document = {
      // Celery keeps the ids alone, whatever they stand for; the tree is ours.
      result: payloadOf(this.#codec, (tree[1] ?? []).map(idOf)),
      date_done: new Date(this.#ambient.clock.now()),
      celeriac_tree: payloadOf(this.#codec, tree),
    }
    await this.#run((link) => {
      const groups = link.collection(this.#place.groups)
      const filter = { _id: groupId as never }
      return link.run('replace', () => groups.replaceOne(filter, document, { upsert: true }))
    })
  }

  async readGroup(groupId: string): Promise<ResultTree | undefined> {
    const found = await this.#run((link) => {
      const groups = link.collection(this.#place.groups)
      return link.run('find', () => groups.findOne({ _id: groupId as never }))
    })
    if (!found) return undefined
    const tree = found['celeriac_tree'] as unknown
    if (tree !== undefined) return readTree(valueOf(tree, this.#codec))
    const ids = valueOf(found['result'], this.#codec)
    return readTree([
      [groupId, null],
      Array.isArray(ids) ? ids.map((id) => [[id, null], null]) : [],
    ])
  }

  async forgetGroup(groupId: string): Promise<void> {
    await this.#remove(this.#place.groups, { _id: groupId })
  }

  async cleanup(): Promise<void> {
    if (this.#expiresMs === 0) return
    const before = new Date(this.#ambient.clock.now() - this.#expiresMs)
    for (const name of [this.#place.tasks, this.#place.groups])
      await this.#remove(name, { [timeField]: { $lt: before } })
  }

  async #remove(collection: string, filter: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#run((link) =>
      link.run('delete', () => link.collection(collection).deleteMany({ ...filter })),
    )
  }

  #run<T>(work: (link: MongoLink) => Promise<T>): Promise<T> {
    return this.#guard(() => this.#links.run(work))
  }

  async #guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw backendFailed('on MongoDB', error)
    }
  }

  async #connect(): Promise<MongoLink> {
    const { MongoLink, mongoOptionNames } = await loadMongoClients()
    const { target } = this.#place
    knownOptions(target.options, [...mongoOptionNames, ...passedOver], 'the results on MongoDB')
    const link = await MongoLink.open(
      {
        target,
        ambient: this.#ambient,
        timeoutMs: connectMs,
        heartbeatSeconds: deadlineSeconds,
        clientName: 'celeriac-results',
      },
      { defaultDatabase: 'celery' },
    )
    if (!this.#hasIndexes) await this.#makeIndexes(link)
    return link
  }

  /** For `cleanup`; whoever may not make one does without. */
  async #makeIndexes(link: MongoLink): Promise<void> {
    this.#hasIndexes = true
    const { tasks, groups } = this.#place
    const made = [tasks, groups].map((name) =>
      link.run('index', () => link.collection(name).createIndex({ [timeField]: 1 })),
    )
    await Promise.allSettled(made)
  }
}

function documentFor(link: MongoLink, { id, data }: StoredResult): MongoDocument {
  const document = { ...(data as Readonly<Record<string, unknown>>), _id: id }
  // FerretDB 1, the one whose updates are not atomic, takes no lists within lists either.
  return link.isAtomic ? document : { ...withoutNesting(document) }
}
