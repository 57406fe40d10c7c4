/** From settings and files to the serializer `auth`. Celery: `app.setup_security`. */
import { readFile } from 'node:fs/promises'
import type { Clock, Serializer } from '@celeriac/messaging'
import { didYouMean } from '@celeriac/messaging/internal'
import type { Config } from '../config/options.ts'
import { ConfigError, SecurityError } from '../kernel/errors.ts'
import { AuthSerializer } from './auth.ts'
import { Certificate } from './certificate.ts'
import { Digest } from './digest.ts'
import { PrivateKey } from './private-key.ts'
import { readStore } from './store.ts'

/** What `app.setupSecurity` can be told; what is left out is in the settings. */
export interface SecurityOptions {
  /** Serializers whose content may be inside of a signed message, by name; `serializer` always may. */
  readonly allowedSerializers?: readonly string[]
  /** File of the private key in PEM, or its text; default `securityKey`. */
  readonly key?: string
  /** Default `securityKeyPassword`. */
  readonly keyPassword?: string | Uint8Array
  /** File of our certificate in PEM, or its text; default `securityCertificate`. */
  readonly cert?: string
  /** Directory, or glob, of the certificates of those whose messages are taken; default `securityCertStore`. */
  readonly store?: string
  /** Default `securityDigest`. */
  readonly digest?: string
  /** Writes what is signed; default json. */
  readonly serializer?: string
}

export interface SecurityServices {
  readonly clock: Clock
  readonly serializers: readonly Serializer[]
}

/**
 * Rejects with `TASKS_CONFIG_INVALID` for settings that are missing or would leave messages unsigned or
 * unchecked, and with `TASKS_SECURITY_…` for keys and certificates that cannot be used.
 */
export async function authSerializer(
  config: Config,
  options: SecurityOptions,
  { clock, serializers }: SecurityServices,
): Promise<Serializer> {
  const accepts = config.acceptContent
  if (config.taskSerializer !== 'auth' || accepts.length !== 1 || accepts[0] !== 'auth') {
    throw invalid(
      'taskSerializer',
      `signed messages want taskSerializer 'auth' and acceptContent ['auth'], found '${config.taskSerializer}' and [${accepts.join(', ')}]: what is not signed must not be taken`,
    )
  }
  const keyText = given(options.key ?? config.securityKey, 'securityKey')
  const certText = given(options.cert ?? config.securityCertificate, 'securityCertificate')
  const storePath = given(options.store ?? config.securityCertStore, 'securityCertStore')
  const find = (name: string): Serializer => {
    const found = serializers.find((one) => one.name === name)
    if (found) return found
    const known = serializers.map((one) => one.name)
    const hint = didYouMean(name, known)
    throw invalid('setupSecurity', `no serializer '${name}'.${hint} Known: ${known.join(', ')}`)
  }
  const digest = new Digest(options.digest ?? config.securityDigest)
  const inner = find(options.serializer ?? 'json')
  const allowed = (options.allowedSerializers ?? []).map(find)

  const key = new PrivateKey(
    await pemOf(keyText, 'securityKey'),
    options.keyPassword ?? config.securityKeyPassword,
    sourceOf(keyText, 'securityKey'),
  )
  const certificate = new Certificate(
    await pemOf(certText, 'securityCertificate'),
    sourceOf(certText, 'securityCertificate'),
  )
  if (!certificate.belongsTo(key.key)) {
    throw new SecurityError(
      'TASKS_SECURITY_KEY_INVALID',
      `${sourceOf(keyText, 'securityKey')} is not the key of the certificate ${certificate.source}: nobody could check what it signs`,
    )
  }
  certificate.checkExpiry(clock.now())
  // Fails here, and not at the first message, when the key is too short or the digest cannot sign.
  key.sign(new Uint8Array(), digest)
  const store = await readStore(storePath, clock.now())
  return new AuthSerializer({ key, certificate, store, digest, inner, allowed, clock })
}

/** Longer ones are not quoted in errors. */
const longestPath = 200

function given(value: string | undefined, name: string): string {
  if (value !== undefined && value !== '') return value
  throw invalid(
    name,
    `${name} is missing: signed messages want securityKey, securityCertificate and securityCertStore, here or as key, cert and store of setupSecurity`,
  )
}

/** Key material may be given as text; it must not be taken for a path, which errors name. */
function isPem(text: string): boolean {
  return text.includes('-----BEGIN')
}

/** What stands in errors. A long text is no path, and may be a key in another form. */
function sourceOf(text: string, name: string): string {
  return isPem(text) || text.length > longestPath || /\s/.test(text) ? name : `${name} (${text})`
}

async function pemOf(text: string, name: string): Promise<string | Uint8Array> {
  if (isPem(text)) return text
  try {
    return await readFile(text)
  } catch (error) {
    const { code = 'unknown' } = error as { code?: string }
    throw invalid(
      name,
      `${sourceOf(text, name)} cannot be read as a file (${code}); expected the path of a PEM file, or its text`,
    )
  }
}

function invalid(name: string, text: string): ConfigError {
  return new ConfigError('TASKS_CONFIG_INVALID', text, name)
}
