/** Certificates: whose signature a message carries, whether it is good, and until when they count. */
import { constants, verify, X509Certificate, type KeyObject } from 'node:crypto'
import { SecurityError } from '../kernel/errors.ts'
import { signerParts } from './der.ts'
import type { Digest } from './digest.ts'

export class Certificate {
  /** Celery's name for it: the values of the issuer and the serial number, with spaces between them. */
  readonly id: string
  readonly expiresMs: number
  /** Where it was read from, for messages. */
  readonly source: string
  readonly #x509: X509Certificate
  readonly #key: KeyObject

  /** Throws `TASKS_SECURITY_CERTIFICATE_INVALID` for what is no certificate of an RSA key. */
  constructor(pem: string | Uint8Array, source: string) {
    this.source = source
    try {
      this.#x509 = new X509Certificate(pem)
      const { issuer, serialNumber } = signerParts(this.#x509.raw)
      this.id = [...issuer, serialNumber].join(' ')
      this.#key = this.#x509.publicKey
    } catch (error) {
      throw invalid(source, `is no certificate: ${reasonOf(error)}; expected PEM`, error)
    }
    const { asymmetricKeyType: type } = this.#key
    if (type !== 'rsa')
      throw invalid(source, `is for a key of type ${type}; only RSA can be used to sign messages`)
    this.expiresMs = Date.parse(this.#x509.validTo)
    if (Number.isNaN(this.expiresMs)) throw invalid(source, 'has no end that can be read')
  }

  get modulusBits(): number {
    return this.#key.asymmetricKeyDetails?.modulusLength ?? 0
  }

  /** Throws `TASKS_SECURITY_CERTIFICATE_EXPIRED`. */
  checkExpiry(nowMs: number): void {
    if (nowMs < this.expiresMs) return
    throw new SecurityError(
      'TASKS_SECURITY_CERTIFICATE_EXPIRED',
      `the certificate '${this.id}' (${this.source}) expired at ${new Date(this.expiresMs).toISOString()}; put a new one in its place, here and in the stores of all peers`,
    )
  }

  belongsTo(key: KeyObject): boolean {
    return this.#x509.checkPrivateKey(key)
  }

  hasSigned(body: Uint8Array, signature: Uint8Array, digest: Digest): boolean {
    const key = {
      key: this.#key,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: digest.saltLength(this.modulusBits),
    }
    return verify(digest.name, body, key, signature)
  }
}

function invalid(source: string, what: string, cause?: unknown): SecurityError {
  return new SecurityError(
    'TASKS_SECURITY_CERTIFICATE_INVALID',
    `${source} ${what}`,
    cause === undefined ? undefined : { cause },
  )
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
