/** Where the table of workflows is played: result stores with a place of their own, as both languages are told. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Celeriac } from '@celeriac/tasks'
import { MongoClient } from 'mongodb'
import { quietApp, removeQueues } from '../fixtures/clients.ts'
import { databases } from '../fixtures/databases.ts'
import { OurWorker } from '../fixtures/our-worker.ts'
import type { PythonOptions } from '../fixtures/python.ts'
import { uniqueName, urlOf, type ServiceName } from '../services/brokers.ts'

export type Broker = 'redis' | 'rabbitmq'

/** Joins by polling look this often, in seconds: otherwise they would take most of the time. */
const soon = {
  ours: { resultChordRetryInterval: 0.2 },
  python: { result_chord_retry_interval: 0.2 },
} as const

export interface Place {
  readonly url: string
  readonly ours?: Readonly<Record<string, unknown>>
  readonly python?: Readonly<Record<string, unknown>>
  remove?(): Promise<void>
}

async function database(kind: keyof typeof databases): Promise<Place> {
  const place = await databases[kind]()
  const { url, schema } = place
  const schemas = schema === undefined ? undefined : { task: schema, group: schema }
  return {
    url,
    ...(schemas && {
      ours: { databaseTableSchemas: schemas },
      python: { database_table_schemas: schemas },
    }),
    remove: () => place.remove(),
  }
}

/** Joins are counted, looked for by polling, or not to be had. */
export type Joins = 'counted' | 'polled' | 'none'

export const stores = {
  redis: { joins: 'counted', make: async () => ({ url: urlOf('redis') }) },
  postgres: { joins: 'polled', make: () => database('postgres') },
  rpc: { joins: 'none', make: async () => ({ url: 'rpc://' }) },
  mariadb: { joins: 'polled', make: () => database('mariadb') },
  sqlite: { joins: 'polled', make: () => database('sqlite') },
  memcached: {
    joins: 'counted',
    make: async () => ({ url: `cache+${urlOf('memcached')}/` }),
  },
  mongodb: {
    joins: 'polled',
    async make() {
      const name = uniqueName('canvas')
      return {
        url: `${urlOf('mongodb')}/${name}`,
        async remove() {
          const client = new MongoClient(urlOf('mongodb'))
          await client.db(name).dropDatabase()
          await client.close()
        },
      }
    },
  },
  filesystem: {
    joins: 'polled',
    async make() {
      const folder = mkdtempSync(path.join(tmpdir(), 'celeriac-canvas-'))
      return {
        url: `file://${folder}`,
        remove: async () => rmSync(folder, { recursive: true, force: true }),
      }
    },
  },
} as const satisfies Record<string, { readonly joins: Joins; make(): Promise<Place> }>

export type StoreName = keyof typeof stores

/** What a broker and a store need to be there. */
export function serversFor(broker: Broker, store: StoreName): ServiceName[] {
  const inProcess: readonly StoreName[] = ['rpc', 'sqlite', 'filesystem']
  const server = inProcess.includes(store) ? [] : [store as ServiceName]
  return [...new Set<ServiceName>([broker, ...server])]
}

/** A broker with a store of results: an app of ours as the client, and a worker of ours. */
export class Stage {
  readonly queues = { js: uniqueName('matrix-js'), py: uniqueName('matrix-py') }
  readonly #broker: Broker
  readonly #store: StoreName
  #place: Promise<Place> | undefined
  #app: Celeriac | undefined
  #worker: OurWorker | undefined

  constructor(broker: Broker, store: StoreName) {
    this.#broker = broker
    this.#store = store
  }

  get app(): Celeriac {
    if (!this.#app) throw new Error('the stage was not opened')
    return this.#app
  }

  async #common() {
    this.#place ??= stores[this.#store].make()
    const { url, ours, python } = await this.#place
    return { urls: { broker: urlOf(this.#broker), backend: url }, ours, python }
  }

  /** The app, with what its results need. */
  async open(): Promise<void> {
    const { urls, ours } = await this.#common()
    this.#app = quietApp({ ...urls, ...soon.ours, ...ours, taskDefaultQueue: this.queues.js })
    await (await this.#app.backend()).open()
  }

  /** The app and the worker. */
  async start(): Promise<void> {
    await this.open()
    const { urls, ours } = await this.#common()
    const settings = { ...soon.ours, ...ours }
    this.#worker = await OurWorker.start({ ...urls, queue: this.queues.js, settings })
  }

  /** How a program in Python comes to the same place. */
  async python(): Promise<PythonOptions> {
    const { urls, python } = await this.#common()
    return { ...urls, queue: this.queues.py, settings: { ...soon.python, ...python } }
  }

  async end(): Promise<void> {
    await this.#worker?.stop()
    await this.#app?.close()
    await removeQueues(urlOf(this.#broker), Object.values(this.queues))
    await (await this.#place)?.remove?.()
  }
}
