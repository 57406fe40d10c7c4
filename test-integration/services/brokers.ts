// The servers of this test run, as the global setup found them. A test file asks here and is skipped with a
// reason when its server is missing; with CI set it fails instead, so that a green run proves something.
import { describe, it } from '@jest/globals'
import type {
  FoundPython,
  FoundService,
  MissingService,
  ServiceName,
} from '../../scripts/services/index.mjs'

export {
  startPrivateMariadb,
  startPrivateMemcached,
  startPrivateMongo,
  startPrivatePostgres,
  startPrivateRabbit,
  startPrivateRedis,
  startPrivateSentinel,
} from '../../scripts/services/index.mjs'
export type {
  ControlledRabbit,
  ControlledServer,
  FoundPython,
  FoundService,
  MissingService,
  ServiceName,
} from '../../scripts/services/index.mjs'

interface Services {
  readonly redis: FoundService | MissingService
  readonly rabbitmq: FoundService | MissingService
  readonly postgres: FoundService | MissingService
  readonly mariadb: FoundService | MissingService
  readonly memcached: FoundService | MissingService
  readonly mongodb: FoundService | MissingService
  readonly python: FoundPython | MissingService
}

const services = readServices()

/** What is known about each server. Only one that says `startedByUs` may be broken by a test. */
export const brokers = {
  redis: () => services.redis,
  rabbitmq: () => services.rabbitmq,
  postgres: () => services.postgres,
  mariadb: () => services.mariadb,
  memcached: () => services.memcached,
  mongodb: () => services.mongodb,
  python: () => services.python,
}

/** The URL of a server; throws with the reason when it is missing. Call it inside a `describeWith`. */
export function urlOf(
  name: 'redis' | 'rabbitmq' | 'postgres' | 'mariadb' | 'mongodb' | 'memcached',
): string {
  const found = services[name]
  if (found.missing !== undefined) throw new Error(`${name} is missing: ${found.missing}`)
  return found.url
}

/** The Python interpreter that has Celery; throws with the reason when it is missing. */
export function pythonPath(): string {
  const found = services.python
  if (found.missing !== undefined) throw new Error(`python is missing: ${found.missing}`)
  return found.path
}

/** A name that no other test uses, for queues, keys and exchanges on a shared server. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${process.pid.toString(36)}-${(unique++).toString(36)}-${Date.now().toString(36)}`
}

let unique = 0

/** `describe` for tests that need the given servers, all of them. */
export function describeWith(
  needed: ServiceName | readonly ServiceName[],
  name: string,
  define: () => void,
): void {
  const names = typeof needed === 'string' ? [needed] : needed
  const missing = names.flatMap((one) => {
    const reason = services[one].missing
    return reason === undefined ? [] : [`${one} is missing: ${reason}`]
  })
  const versions = names.map((one) => `${one} ${versionOf(one)}`)
  const title = missing.length === 0 ? `${name} [${versions.join(', ')}]` : name
  describeUnless(missing.length === 0 ? undefined : missing.join('; '), title, define)
}

/** `describe` for tests that may lack something: skipped with the reason, and failing with it under CI. */
export function describeUnless(reason: string | undefined, name: string, define: () => void): void {
  if (reason === undefined) describe(name, define)
  else if (isCi()) {
    describe(name, () => {
      it('has what it needs', () => {
        throw new Error(reason)
      })
    })
  } else {
    describe.skip(`${name} [${reason}]`, define)
  }
}

function versionOf(name: ServiceName): string {
  const found = services[name]
  return found.missing === undefined ? found.version : 'missing'
}

function isCi(): boolean {
  return !['', '0', 'false'].includes(process.env['CI'] ?? '')
}

function readServices(): Services {
  const text = process.env['CELERIAC_TEST_SERVICES']
  if (text === undefined) throw new Error('the global setup of test-integration did not run')
  return JSON.parse(text) as Services
}
