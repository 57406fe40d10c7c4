/**
 * What an app builds once and shares: connection, producer, backend, outbox, executor. Each is made at its
 * first use, so that a program that only defines tasks connects to nothing.
 */
import {
  compressors,
  Connection,
  LamportClock,
  serializers,
  systemAmbient,
  type Ambient,
  type Compressor,
  type ConnectionOptions,
  type Logger,
  type Mailbox,
  type Producer,
  type Serializer,
} from '@celeriac/messaging'
import type { Signals } from '@celeriac/messaging/internal'
import type { ResultBackend } from '../backend/backend.ts'
import { Persistence } from '../backend/persist.ts'
import { resultCodec, type ResultCodec } from '../backend/result-codec.ts'
import { backends, makeBackend, overriding } from '../backends/index.ts'
import { Outbox, type Declared, type Sending } from '../client/outbox.ts'
import { UniqueKeys } from '../client/unique.ts'
import type { Config } from '../config/options.ts'
import { EventSender } from '../events/sender.ts'
import { currentExecution } from '../execution/context.ts'
import { Executor } from '../execution/executor.ts'
import { Recorder } from '../execution/record.ts'
import type { Runnable } from '../execution/runnable.ts'
import { clientName } from '../kernel/names.ts'
import type { AppSignals } from '../kernel/signals.ts'
import { resultOf } from '../result/group-result.ts'
import { ResultReader } from '../result/wait.ts'
import { Queues } from '../routing/queues.ts'
import { Router } from '../routing/router.ts'
import type { Registry } from './registry.ts'

/** Where everything lives when nothing is configured: one file in the working directory. */
export const embeddedUrl = 'sqlite://'

/** Ways to write bodies that are not on the shelves; they win over those of the same name. */
export interface ExtraCodecs {
  readonly serializers?: readonly Serializer[] | undefined
  readonly compressors?: readonly Compressor[] | undefined
}

export class Services {
  readonly ambient: Ambient
  readonly config: Config
  readonly queues: Queues
  readonly router: Router
  readonly results: ResultReader
  readonly recorder: Recorder
  readonly outbox: Outbox
  /** Orders what this process tells others. */
  readonly clock = new LamportClock()
  readonly uniqueKeys: UniqueKeys
  /** Address of this process for replies; a new one for every process. */
  readonly replyTo: string
  readonly #registry: Registry
  readonly #signals: Signals<AppSignals>
  readonly #log: Logger
  readonly #persistence: Persistence
  readonly #codecs: ExtraCodecs
  #connection: Connection | undefined
  #producer: Producer | undefined
  #remote: Mailbox | undefined
  #backend: Promise<ResultBackend> | undefined
  #codec: Promise<ResultCodec> | undefined
  #executor: Executor | undefined
  #events: EventSender | undefined

  constructor(
    config: Config,
    registry: Registry,
    signals: Signals<AppSignals>,
    ambient: Partial<Ambient>,
    codecs: ExtraCodecs = {},
  ) {
    this.ambient = systemAmbient(ambient)
    this.config = config
    this.#codecs = codecs
    this.#registry = registry
    this.#signals = signals
    this.#log = this.ambient.log
    this.replyTo = this.ambient.nextId()
    this.queues = new Queues(config, this.ambient.nextId)
    this.router = new Router(this.queues, config)
    const backend = (): Promise<ResultBackend> => this.backend()
    this.results = new ResultReader(backend, this.ambient, resultOf, {
      isPatient: config.resultBackendAlwaysRetry,
      isInTask: () => currentExecution() !== undefined,
      remote: () => this.remote,
      remoteTracebacks: config.taskRemoteTracebacks,
    })
    this.uniqueKeys = new UniqueKeys(backend)
    this.#persistence = new Persistence(config, this.ambient)
    const { persist } = this.#persistence
    this.recorder = new Recorder({ backend, codec: () => this.#resultCodec(), persist })
    this.outbox = new Outbox({
      ambient: this.ambient,
      config,
      codec: this.connection.codec,
      origin: clientName(),
      replyTo: this.replyTo,
      expectsReplies: isRpc(backendUrl(config)),
      producer: () => this.producer,
      backend,
      placeOf: (task) => this.placeOf(task),
      route: (task, options, call) => this.router.route(task, options, call.args, call.kwargs),
      declared: (task) => registry.declared(task),
      onSending: ({ call, destination }, { headers, properties, body }) => {
        if (!signals.has('beforeTaskPublish')) return
        const { exchange, routingKey } = destination
        signals.emit('beforeTaskPublish', {
          id: call.id,
          task: call.task,
          headers: headers as Record<string, unknown>,
          properties: properties as Record<string, unknown>,
          body,
          exchange,
          routingKey,
        })
      },
      onSent: ({ call, destination }) => {
        if (!signals.has('afterTaskPublish')) return
        const { exchange, routingKey } = destination
        signals.emit('afterTaskPublish', { id: call.id, task: call.task, exchange, routingKey })
      },
    })
  }

  /** Wire options that say where messages of a task go: for tasks that others send on. */
  placeOf(task: string): Readonly<Record<string, unknown>> {
    const { exchange, routingKey } = this.router.route(task, {}, [], {})
    return exchange === '' ? { queue: routingKey } : { exchange, routing_key: routingKey }
  }

  find(task: string): Runnable | undefined {
    return this.#registry.find(task)
  }

  /** What messages of this task get from its declaration, be it registered here or known as living elsewhere. */
  declared(task: string): Declared | undefined {
    return this.#registry.declared(task)
  }

  /** Opens with its first use. */
  get connection(): Connection {
    this.#connection ??= makeConnection(this.config, this.ambient, this.#codecs)
    return this.#connection
  }

  get producer(): Producer {
    this.#producer ??= this.connection.producer()
    return this.#producer
  }

  /** Where workers listen for commands; also Python's. */
  get remote(): Mailbox {
    const { controlExchange, acceptContent } = this.config
    this.#remote ??= this.connection.mailbox(controlExchange, {
      type: 'fanout',
      accept: acceptContent,
      clock: this.clock,
    })
    return this.#remote
  }

  get executor(): Executor {
    this.#executor ??= this.makeExecutor(this.outbox, this.recorder)
    return this.#executor
  }

  /** An executor that sends what follows to `outbox`; `keepsAll` for runs whose results must be there. */
  makeExecutor(outbox: Sending, recorder: Recorder, keepsAll?: true): Executor {
    return new Executor({
      ambient: this.ambient,
      config: this.config,
      codec: this.connection.codec,
      outbox,
      recorder,
      ...(keepsAll && { keepsAll }),
      signals: this.#signals,
      log: this.#log,
      replyTo: this.replyTo,
      uniqueKeys: this.uniqueKeys,
      sendEvent: (type, hostname, fields) => this.events.send(type, hostname, fields),
      find: (task) => this.#registry.find(task),
      declared: (task) => this.#registry.declared(task),
      suggest: (task) => this.#registry.suggest(task),
    })
  }

  get events(): EventSender {
    this.#events ??= new EventSender({
      ambient: this.ambient,
      exchange: this.config.eventExchange,
      type: /^(redis|sentinel)/.test(this.config.brokerUrl ?? '') ? 'fanout' : 'topic',
      producer: () => this.producer,
      tick: () => this.clock.forward(),
    })
    return this.#events
  }

  backend(): Promise<ResultBackend> {
    this.#backend ??= this.#makeBackend().catch((error: unknown) => {
      this.#backend = undefined
      throw error
    })
    return this.#backend
  }

  async #makeBackend(): Promise<ResultBackend> {
    const { config } = this
    return await makeBackend(
      {
        url: backendUrl(config),
        expiresSeconds: config.resultExpires ?? 0,
        options: { ...tlsOf(config.redisBackendUseSsl), ...config.resultBackendTransportOptions },
        codec: await this.#resultCodec(),
        config,
        replyTo: this.replyTo,
        connection: () => this.connection,
      },
      this.ambient,
      { ...backends, ...overriding(config.overrideBackends, (path) => import(path)) },
    )
  }

  #resultCodec(): Promise<ResultCodec> {
    const { resultSerializer, resultAcceptContent } = this.config
    this.#codec ??= resultCodec(
      this.connection.codec,
      resultSerializer,
      resultAcceptContent ?? [resultSerializer],
    )
    return this.#codec
  }

  async close(): Promise<void> {
    this.results.close()
    this.#persistence.close()
    await this.#connection?.close()
    const backend = await this.#backend?.catch(() => undefined)
    await backend?.close()
  }
}

function makeConnection(config: Config, ambient: Ambient, extra: ExtraCodecs): Connection {
  return new Connection(config.brokerUrl ?? embeddedUrl, {
    connectTimeout: config.brokerConnectionTimeout,
    heartbeat: config.brokerHeartbeat ?? 0,
    publishTimeout: config.publishTimeout,
    ...failoverOf(config),
    transportOptions: { ...tlsOf(config.brokerUseSsl), ...config.brokerTransportOptions },
    accept: config.acceptContent,
    serializers: [...Object.values(serializers), ...(extra.serializers ?? [])],
    compressors: [...Object.values(compressors), ...(extra.compressors ?? [])],
    ambient,
  })
}

/** TLS settings, as the transports name them. */
function tlsOf(setting: unknown): Readonly<Record<string, unknown>> {
  if (setting === undefined || setting === false) return {}
  return { ssl: setting }
}

/** Celery's custom strategies give the URLs themselves, ours their places. */
function failoverOf(config: Config): Pick<ConnectionOptions, 'failover'> {
  const strategy = config.brokerFailoverStrategy
  if (strategy === undefined) return {}
  if (typeof strategy === 'string') return { failover: strategy }
  const urls = (config.brokerUrl ?? embeddedUrl).split(';')
  return {
    failover: function* () {
      for (;;) for (const url of strategy(urls)) yield Math.max(0, urls.indexOf(url))
    },
  }
}

/** Results that come as messages need their queue before anything is sent. */
function isRpc(url: string): boolean {
  return /^rpc\b/.test(url)
}

/** An embedded broker brings its own store for results; others need one to be named. */
export function backendUrl(config: Config): string {
  if (config.resultBackend !== undefined) return config.resultBackend
  const broker = config.brokerUrl ?? embeddedUrl
  if (/^memory\b/.test(broker)) return broker
  if (!/^sqlite\b/.test(broker)) return 'disabled'
  // A file of its own, so that results and messages do not wait for each other's writes.
  return /^sqlite(:\/\/)?$/.test(broker) ? embeddedUrl : `${broker.replace(/\?.*$/, '')}-results`
}
