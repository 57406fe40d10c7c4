/**
 * The app: settings, tasks by name, and one set of services behind them. Everything that talks to a broker
 * is asynchronous, so settings from files are read when the first of those is called.
 */
import {
  serializers as shelf,
  systemAmbient,
  type Ambient,
  type Compressor,
  type Logger,
  type Serializer,
} from '@celeriac/messaging'
import { Signals } from '@celeriac/messaging/internal'
import { call, clone, fromWire, readTree, type ResultTree } from '../canvas/index.ts'
import { AppliedSignature } from './applied-signature.ts'
import type { Signature, SignatureOptions } from '../canvas/signature.ts'
import { defaultSource, environmentSource, fileSource } from '../config/load.ts'
import type { Config, OptionName, Settings } from '../config/options.ts'
import type { BeatEntrySetting } from '../config/options/structures.ts'
import { resolve, type Source } from '../config/resolve.ts'
import type { ResultBackend } from '../backend/backend.ts'
import { TasksError } from '../kernel/errors.ts'
import { importFile, type ModuleImporter } from '../kernel/module-importer.ts'
import type { AppSignals } from '../kernel/signals.ts'
import type { SecurityOptions } from '../security/setup.ts'
import { AsyncResult } from '../result/async-result.ts'
import { GroupResult, resultOf, type Member } from '../result/group-result.ts'
import { enrol } from './shared.ts'
import type { SendOptions } from './send-options.ts'
import {
  dispatch,
  sendPlanned,
  sendTogether,
  handleFor,
  planOf,
  plansOf,
  remember,
  runHere,
} from './sending.ts'
import { Registry } from './registry.ts'
import { registerBuiltins } from './builtins.ts'
import { Services, type ExtraCodecs } from './services.ts'
import { taskDefiner, type TaskOptions } from './task.ts'
import type { AnyFunction, AnySent, DefineTask } from './typed.ts'
import { makeRemote, type RemoteTask } from './remote.ts'

export type { SendOptions } from './send-options.ts'

export interface AppOptions extends Settings {
  /** Where messages travel; the same as `brokerUrl`. None is the embedded broker. */
  readonly broker?: string | readonly string[]
  /** Where results are kept; the same as `resultBackend`. */
  readonly backend?: string
  /** This module, `import.meta.url`: child processes load it to have the same tasks. */
  readonly module?: string
  /** Clock, log, ids and randomness, for tests. */
  readonly ambient?: Partial<Ambient>
  /** Read the environment and `celeryconfig`; default true. */
  readonly loadConfig?: boolean
  /** More serializers, found by name and content type; they win over the built-in ones. */
  readonly serializers?: readonly Serializer[]
  /** The same for compressors. */
  readonly compressors?: readonly Compressor[]
  /** Shared tasks are sent through this app from now on; default true. */
  readonly setAsCurrent?: boolean
}

const noOptions: SendOptions = Object.freeze({})
const brand = Symbol.for('celeriac.app')

export class Celeriac {
  readonly name: string
  readonly registry = new Registry()
  readonly signals = new Signals<AppSignals>()
  readonly module: string | undefined
  /** How this app imports its settings file and the modules it includes. */
  importModule: ModuleImporter = importFile
  readonly [brand] = true
  readonly #ambient: Partial<Ambient>
  readonly #loads: boolean
  readonly #codecs: ExtraCodecs
  #security: SecurityOptions | undefined
  readonly #code: Record<string, unknown>
  readonly #files: string[] = []
  #overrides: Record<string, unknown> = {}
  #setup: Promise<Services> | undefined
  #services: Services | undefined
  #warnings: readonly string[] = []
  readonly #periodic: Record<string, BeatEntrySetting> = {}

  /** Throws a ConfigError for settings that are unknown or not what they should be. */
  constructor(name = 'celeriac', options: AppOptions = {}) {
    const { broker, backend, module, ambient, loadConfig, setAsCurrent, ...others } = options
    const { serializers, compressors, ...settings } = others
    this.name = name
    this.module = module
    this.#ambient = ambient ?? {}
    this.#loads = loadConfig ?? true
    this.#codecs = { serializers, compressors }
    this.#code = { ...settings }
    if (broker !== undefined) this.#code['brokerUrl'] = broker
    if (backend !== undefined) this.#code['resultBackend'] = backend
    // Wrong settings are reported where they are written, not at the first send.
    resolve([{ from: 'the app', settings: this.#code }])
    registerBuiltins(this)
    enrol(this, setAsCurrent ?? true)
  }

  /** True for an app of any copy of this package. */
  static is(value: unknown): value is Celeriac {
    return typeof value === 'object' && value !== null && brand in value
  }

  /** Settings from an object, or from a file that is read at the first use. Later ones win. */
  configFromObject(source: Settings | string): this {
    this.#mustNotBeSetUp('configFromObject')
    if (typeof source === 'string') this.#files.push(source)
    else {
      resolve([{ from: 'configFromObject', settings: source }])
      Object.assign(this.#code, source)
    }
    return this
  }

  /** Settings that win over all others; the command line's. */
  override(settings: Settings): this {
    this.#mustNotBeSetUp('override')
    resolve([{ from: 'the command line', settings }])
    this.#overrides = { ...this.#overrides, ...settings }
    return this
  }

  /**
   * Signs every task that is sent and takes none that is not signed by somebody in the store: adds the
   * serializer `auth`, which `taskSerializer` and `acceptContent` must name. What is left out comes from the
   * settings; files are read at the first use, which rejects with why they cannot be used. Celery:
   * `setup_security`.
   */
  setupSecurity(options: SecurityOptions = {}): this {
    this.#mustNotBeSetUp('setupSecurity')
    this.#security = options
    return this
  }

  /**
   * Defines a task. The types of its arguments and its result are those of the function; with a schema for
   * the arguments, callers give what the schema takes and the function gets what it makes of it.
   */
  readonly task: DefineTask = taskDefiner(this)

  /**
   * Sends a task again and again while a beat runs: `schedule` is seconds, a `crontab()` or an
   * `interval()`. The same as an entry of `beatSchedule`; the name must be its own.
   */
  addPeriodicTask(
    schedule: BeatEntrySetting['schedule'],
    task: BeatEntrySetting['task'],
    entry: Omit<BeatEntrySetting, 'schedule' | 'task'> & { readonly name?: string } = {},
  ): this {
    const { name = typeof task === 'string' ? task : String(task?.name), ...rest } = entry
    if (name in this.#periodic) {
      throw new TasksError(
        'TASKS_CONFIG_INVALID',
        `there is a periodic task '${name}' already; give this one a name of its own`,
      )
    }
    this.#periodic[name] = { ...rest, task, schedule }
    return this
  }

  /** What `addPeriodicTask` has added, by name. */
  get periodicTasks(): Readonly<Record<string, BeatEntrySetting>> {
    return this.#periodic
  }

  /** A task that lives elsewhere, in Python for example: only its type is known here. */
  remote<F extends AnyFunction>(name: string, options?: TaskOptions): RemoteTask<F> {
    return makeRemote<F>(this, name, options)
  }

  /**
   * Reads settings and gets everything ready; called by itself before the first use. Rejects with a
   * ConfigError when a file cannot be read.
   */
  setup(): Promise<Services> {
    return (this.#setup ??= this.#doSetup())
  }

  /** The services, once `setup` is done; the hot path of every send. */
  get ready(): Services | undefined {
    return this.#services
  }

  /** All settings. Throws unless `setup` is done. */
  get config(): Config {
    if (this.#services) return this.#services.config
    throw new TasksError('TASKS_NOT_READY', 'the settings are known after `await app.setup()`')
  }

  /** A setting as far as it is known now: before `setup` only what code has set. */
  setting<K extends OptionName>(name: K): Config[K] | undefined {
    const settings = this.#services?.config ?? { ...this.#code, ...this.#overrides }
    return (settings as Partial<Config>)[name]
  }

  /**
   * A signature by the name of its task, or from its JSON, whoever wrote it. Throws `TASKS_SIGNATURE_INVALID`
   * for what is none.
   */
  signature(
    task: string | object,
    args: readonly unknown[] = [],
    options: SignatureOptions & { readonly kwargs?: Readonly<Record<string, unknown>> } = {},
  ): AnySent {
    const { kwargs, ...rest } = options
    const one: Signature = typeof task === 'string' ? call(task) : fromWire(task)
    const parts = { args, options: rest, ...(kwargs && { kwargs }) }
    return new AppliedSignature(this, clone(one, parts)) as unknown as AnySent
  }

  /** Sentences about settings that have no effect. */
  get configWarnings(): readonly string[] {
    return this.#warnings
  }

  get log(): Logger | undefined {
    return this.#services?.ambient.log
  }

  /** The result backend, opened. */
  async backend(): Promise<ResultBackend> {
    return await (await this.setup()).backend()
  }

  /** The handle of a task somebody sent; nothing is asked for yet. */
  async result<R = unknown>(id: string): Promise<AsyncResult<R>> {
    return new AsyncResult<R>(id, (await this.setup()).results)
  }

  /** A group that was saved; undefined when there is none. */
  async restoreGroup(id: string): Promise<GroupResult | undefined> {
    return await GroupResult.restore(id, (await this.setup()).results)
  }

  /**
   * The handle of what `asTuple()` or `JSON.stringify(result)` gave, or Python's `as_tuple()`. Rejects with
   * `TASKS_RESULT_INVALID` for anything else.
   */
  async resultFromTuple(tuple: unknown): Promise<Member> {
    const tree = readTree(tuple)
    if (tree) return resultOf(tree, (await this.setup()).results)
    throw new TasksError(
      'TASKS_RESULT_INVALID',
      'the tuple of a result is [[id, parent], members], where parent may be null, and members is null for a task',
    )
  }

  /** Sends a task by its name, registered here or not. */
  async sendTask(
    task: string,
    args: readonly unknown[] = [],
    options: SendOptions & { readonly kwargs?: Readonly<Record<string, unknown>> } = {},
  ): Promise<AsyncResult> {
    const { kwargs = {}, ...rest } = options
    const signature: Signature = {
      kind: 'call',
      task,
      args,
      kwargs,
      options: {},
      immutable: false,
      subtaskType: null,
    }
    const services = this.#services ?? (await this.setup())
    // Celery: what is sent by name goes to the broker, eager or not.
    const planned = planOf(signature, rest, services)
    return handleFor(services, planned, await sendPlanned(services, planned, rest)) as AsyncResult
  }

  /** Sends a signature of any kind; resolves when the broker has confirmed it. */
  async send(signature: Signature, options: SendOptions = noOptions): Promise<Member> {
    const services = this.#services ?? (await this.setup())
    const planned = planOf(signature, options, services)
    if (services.config.taskAlwaysEager) return await runHere(services, planned, undefined)
    const sending = dispatch(services, planned, options)
    // Undefined for what nothing has to be asked about, which is the rule: one promise less for each send.
    if (sending) return handleFor(services, planned, await sending)
    await services.outbox.send(planned, options.timeout)
    remember(planned.result, options)
    return handleFor(services, planned, planned.result)
  }

  /**
   * Sends many signatures in one batch, in order. Rejects with `TASKS_SEND_FAILED` when not all were
   * confirmed; its `sent` tells how many messages were.
   */
  async sendMany(signatures: readonly Signature[], options: SendOptions = {}): Promise<Member[]> {
    const services = this.#services ?? (await this.setup())
    const plans = plansOf(signatures, options, services)
    return await sendTogether(services, plans, options)
  }

  /**
   * Runs a signature here and now, without a broker; what it sends while it runs goes the usual way. With
   * `throw` rejects with what the task threw, else that is in the result.
   */
  async apply(
    signature: Signature,
    options: SendOptions & { readonly throw?: boolean } = {},
  ): Promise<Member> {
    const services = this.#services ?? (await this.setup())
    const { throw: throws, ...sending } = options
    return await runHere(services, planOf(signature, sending, services), throws)
  }

  /** The handle a result tree stands for. */
  resultOf(tree: ResultTree): Member {
    if (!this.#services) throw new TasksError('TASKS_NOT_READY', 'call `await app.setup()` first')
    return resultOf(tree, this.#services.results)
  }

  /** Closes what was opened. The app can be used again after. */
  async close(): Promise<void> {
    const services = await this.#setup?.catch(() => undefined)
    this.#setup = undefined
    this.#services = undefined
    await services?.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #doSetup(): Promise<Services> {
    this.signals.emit('onConfigure', {})
    const sources: Source[] = []
    const warnings: string[] = []
    if (this.#loads) {
      const usual = await defaultSource(process.env, process.cwd(), this.importModule)
      if (usual) sources.push(usual)
    }
    for (const file of this.#files)
      sources.push(await fileSource(file, process.cwd(), this.importModule))
    if (this.#loads) {
      const environment = environmentSource(process.env)
      sources.push(environment.source)
      warnings.push(...environment.warnings)
    }
    sources.push({ from: 'the app', settings: this.#code })
    sources.push({ from: 'the command line', settings: this.#overrides })
    const resolved = resolve(sources)
    this.#warnings = [...warnings, ...resolved.warnings]
    this.registry.annotate(resolved.config.taskAnnotations)
    this.signals.emit('onAfterConfigure', { config: resolved.config })
    const services = new Services(
      resolved.config,
      this.registry,
      this.signals,
      this.#ambient,
      await this.#withAuth(resolved.config),
    )
    this.#services = services
    this.signals.emit('onAfterFinalize', { tasks: this.registry.names })
    return services
  }

  async #withAuth(config: Config): Promise<ExtraCodecs> {
    const own = this.#codecs.serializers ?? []
    if (this.#security) {
      const { clock } = systemAmbient(this.#ambient)
      const serializers = [...Object.values(shelf), ...own]
      // Certificates are read by those who sign, and by nobody else.
      const { authSerializer } = await import('../security/setup.ts')
      const auth = await authSerializer(config, this.#security, { clock, serializers })
      return { ...this.#codecs, serializers: [...own, auth] }
    }
    const { taskSerializer, resultSerializer, acceptContent } = config
    const wanted = [taskSerializer, resultSerializer, ...acceptContent]
    if (!wanted.includes('auth') || own.some(({ name }) => name === 'auth')) return this.#codecs
    throw new TasksError(
      'TASKS_CONFIG_INVALID',
      "the settings name the serializer 'auth', which is there after app.setupSecurity(); call it where the app is made",
    )
  }

  #mustNotBeSetUp(what: string): void {
    if (!this.#setup) return
    throw new TasksError(
      'TASKS_CONFIG_INVALID',
      `${what} comes too late: the app is in use already`,
    )
  }
}
