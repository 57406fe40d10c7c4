/**
 * The serializer `auth`: signs what another serializer writes, and reads nothing before its signature has been
 * found good. Bytes are those of Celery's.
 */
import type { Clock, Serializer } from '@celeriac/messaging'
import { SecurityError } from '../kernel/errors.ts'
import type { Certificate } from './certificate.ts'
import type { Digest } from './digest.ts'
import { pack, unpack } from './envelope.ts'
import type { PrivateKey } from './private-key.ts'
import type { CertificateStore } from './store.ts'

export interface AuthOptions {
  readonly key: PrivateKey
  readonly certificate: Certificate
  readonly store: CertificateStore
  readonly digest: Digest
  /** Writes what is signed. */
  readonly inner: Serializer
  /** Those whose content may be inside of a signed message. */
  readonly allowed: readonly Serializer[]
  readonly clock: Clock
}

export class AuthSerializer implements Serializer {
  readonly name = 'auth'
  readonly contentType = 'application/data'
  readonly contentEncoding = 'utf-8'
  readonly load?: () => Promise<void>
  readonly #options: AuthOptions
  readonly #allowed: ReadonlyMap<string, Serializer>

  constructor(options: AuthOptions) {
    this.#options = options
    const all = new Set([options.inner, ...options.allowed])
    this.#allowed = new Map([...all].map((one) => [one.contentType, one]))
    const loads = [...all].filter((one) => one.load !== undefined)
    if (loads.length > 0)
      this.load = async () => void (await Promise.all(loads.map((one) => one.load!())))
  }

  /** Throws `TASKS_SECURITY_CERTIFICATE_EXPIRED` when nobody would take it. */
  encode(value: unknown): Uint8Array {
    const { key, certificate, digest, inner, clock } = this.#options
    certificate.checkExpiry(clock.now())
    const body = inner.encode(value)
    const { contentType, contentEncoding } = inner
    const signature = key.sign(body, digest)
    return pack({ signer: certificate.id, signature, contentType, contentEncoding, body })
  }

  /** Throws a `SecurityError` for everything that is not signed by one of the store. */
  decode(bytes: Uint8Array): unknown {
    const { store, digest, clock } = this.#options
    const { signer, signature, contentType, contentEncoding, body } = unpack(bytes)
    const certificate = store.get(signer)
    if (!certificate) {
      throw new SecurityError(
        'TASKS_SECURITY_SIGNER_UNKNOWN',
        `a message is signed by ${JSON.stringify(signer.slice(0, 200))}, who is unknown here; add the certificate to securityCertStore if it is to be trusted`,
      )
    }
    certificate.checkExpiry(clock.now())
    if (!certificate.hasSigned(body, signature, digest)) {
      throw new SecurityError(
        'TASKS_SECURITY_SIGNATURE_INVALID',
        `a message is not what '${signer}' has signed: it was changed, or signed with another key, or securityDigest is not ${digest.name} there`,
      )
    }
    // No signature covers these two: read as something else, the same bytes may say something else.
    const inner = this.#allowed.get(contentType)
    if (inner?.contentEncoding !== contentEncoding) {
      throw new SecurityError(
        'TASKS_SECURITY_CONTENT_REFUSED',
        `a signed message carries ${JSON.stringify(contentType)} (${JSON.stringify(contentEncoding)}), accepted: ${[...this.#allowed.keys()].join(', ')}; see allowedSerializers of setupSecurity`,
      )
    }
    return inner.decode(body)
  }
}
