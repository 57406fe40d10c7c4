// Types of the test services, for tests written in TypeScript.
export type ServiceName =
  'redis' | 'rabbitmq' | 'postgres' | 'mariadb' | 'mongodb' | 'memcached' | 'python'

/** A service that answers. `startedByUs` says that tests may break it; better, start your own. */
export interface FoundService {
  readonly name: ServiceName
  readonly missing?: undefined
  readonly url: string
  readonly version: string
  readonly how: string
  readonly startedByUs: boolean
  readonly fresh?: boolean
  readonly pid?: number
}

export interface FoundPython {
  readonly name: 'python'
  readonly missing?: undefined
  readonly path: string
  readonly version: string
  readonly versions: Readonly<Record<'python' | 'celery' | 'kombu' | 'redis', string>>
  readonly how: string
  readonly startedByUs: false
}

export interface MissingService {
  readonly name: ServiceName
  readonly missing: string
}

export interface ServiceOptions {
  /** No servers or containers that others may share. */
  readonly privateOnly?: boolean
  readonly log?: (line: string) => void
}

/** A server under the control of the test that started it. */
export interface ControlledServer {
  readonly name: string
  readonly url: string
  readonly port: number
  readonly dir: string
  readonly startedByUs: true
  readonly pid: number | undefined
  readonly version: string | undefined
  /** Starts it on its port and data and waits until it answers; leaves a running one alone. */
  start(): Promise<void>
  /** Warm stop (SIGTERM); safe when it is down already. */
  stop(): Promise<void>
  /** SIGKILL: what was not confirmed may be lost. */
  kill9(): Promise<void>
  restart(): Promise<void>
  /** Freezes it (SIGSTOP): connections stay open, nobody answers. */
  pause(): void
  resume(): void
  /** Kills it and removes its data. */
  dispose(): Promise<void>
}

export interface ControlledRabbit extends ControlledServer {
  /** Runs rabbitmqctl on this node and returns what it prints; throws when it fails. */
  ctl(...words: string[]): Promise<string>
}

export interface PrivateServerOptions {
  /** A free port outside the range of outgoing connections when not given. */
  readonly port?: number
  /** A fresh folder when not given. */
  readonly dir?: string
  /** Kill the server when this process ends, however it ends; true when not given. */
  readonly tied?: boolean
  readonly log?: (line: string) => void
}

export const serviceNames: readonly ServiceName[]
export const variables: Readonly<Record<ServiceName, string>>

export function ensure(
  name: 'redis' | 'rabbitmq' | 'postgres' | 'mariadb' | 'mongodb' | 'memcached',
  options?: ServiceOptions,
): Promise<FoundService | MissingService>
export function ensureRedis(options?: ServiceOptions): Promise<FoundService | MissingService>
export function ensureRabbit(options?: ServiceOptions): Promise<FoundService | MissingService>
export function ensureMongo(options?: ServiceOptions): Promise<FoundService | MissingService>
export function ensurePython(options?: {
  readonly install?: boolean
  readonly log?: (line: string) => void
}): Promise<FoundPython | MissingService>

/** Like `ensure…`, but starts and installs nothing. */
export function find(
  name: 'redis' | 'rabbitmq' | 'postgres' | 'mongodb' | 'memcached',
  options?: ServiceOptions,
): Promise<FoundService | MissingService>
export function find(name: 'python'): Promise<FoundPython | MissingService>

/** Stops a shared service that we started; says what it did. */
export function stop(name: ServiceName): Promise<string>

/** The handle of a shared server that we started, or undefined when it is not ours to break. */
export function control(name: 'redis' | 'postgres' | 'mariadb'): ControlledServer | undefined
export function control(name: 'rabbitmq'): ControlledRabbit | undefined
export function control(name: 'mongodb'): ControlledServer | undefined

export function startPrivateRedis(
  options?: PrivateServerOptions & {
    /** More arguments of redis-server. */
    readonly args?: readonly string[]
  },
): Promise<ControlledServer>
/** A Redis Sentinel that watches one master. */
export function startPrivateSentinel(options: {
  readonly masterName: string
  readonly masterPort: number
  /** Sentinels that must agree that the master is down; default 1. */
  readonly quorum?: number
  /** Silence after which the master counts as down, in ms; default 1000. */
  readonly downMs?: number
  readonly dir?: string
  readonly log?: (line: string) => void
}): Promise<ControlledServer>
export function startPrivateMemcached(options?: PrivateServerOptions): Promise<ControlledServer>
/** A server that speaks MongoDB's protocol; built at the first use on a machine. */
export function startPrivateMongo(options?: PrivateServerOptions): Promise<ControlledServer>
export function startPrivateRabbit(
  options?: PrivateServerOptions & {
    /** More lines of rabbitmq.conf. */
    readonly config?: readonly string[]
  },
): Promise<ControlledRabbit>

/** Options of the server by their names in postgresql.conf. */
export function startPrivatePostgres(
  options?: Omit<PrivateServerOptions, 'dir'> & {
    readonly settings?: Readonly<Record<string, string>>
  },
): Promise<ControlledServer>

/** Options of the server by their names on its command line. */
export function startPrivateMariadb(
  options?: PrivateServerOptions & {
    readonly settings?: Readonly<Record<string, string>>
  },
): Promise<ControlledServer>

export function probeMysql(
  url: string,
  options?: { readonly deadlineMs?: number },
): Promise<{ version: string }>
export function probePostgres(
  url: string,
  options?: { readonly deadlineMs?: number },
): Promise<{ version: string }>
export function probeRedis(
  url: string,
  options?: { readonly deadlineMs?: number },
): Promise<{ version: string }>
export function probeAmqp(
  url: string,
  options?: { readonly deadlineMs?: number },
): Promise<{ product: string; version: string }>
export function probeMemcached(
  url: string,
  options?: { readonly deadlineMs?: number },
): Promise<{ version: string }>
export function probeMongo(
  url: string,
  options?: { readonly deadlineMs?: number },
): Promise<{ version: string; isFerret: boolean }>
export function freePort(): Promise<number>
export function masked(url: string): string
export function stateDir(): string
