/** The key messages are signed with. Nothing of it ever stands in an error. */
import { constants, createPrivateKey, sign, type KeyObject } from 'node:crypto'
import { SecurityError } from '../kernel/errors.ts'
import type { Digest } from './digest.ts'

export class PrivateKey {
  readonly key: KeyObject

  /** Throws `TASKS_SECURITY_KEY_INVALID` for what is no RSA key, and for a wrong or missing password. */
  constructor(pem: string | Uint8Array, password: string | Uint8Array | undefined, source: string) {
    try {
      this.key = createPrivateKey({
        key: bytesOf(pem),
        format: 'pem',
        ...(password !== undefined && { passphrase: bytesOf(password) }),
      })
    } catch {
      throw invalid(source, whyOf(bytesOf(pem), password !== undefined))
    }
    const { asymmetricKeyType: type } = this.key
    if (type !== 'rsa')
      throw invalid(source, `is a key of type ${type}; only RSA can be used to sign messages`)
  }

  /** Throws `TASKS_SECURITY_KEY_INVALID` when it is too short for the digest. */
  sign(body: Uint8Array, digest: Digest): Buffer {
    const bits = this.key.asymmetricKeyDetails?.modulusLength ?? 0
    const saltLength = digest.saltLength(bits)
    if (saltLength < 0)
      throw invalid('securityKey', `has ${bits} bits, which are too few for ${digest.name}`)
    const padding = constants.RSA_PKCS1_PSS_PADDING
    return sign(digest.name, body, { key: this.key, padding, saltLength })
  }
}

function bytesOf(given: string | Uint8Array): Buffer {
  return typeof given === 'string' ? Buffer.from(given) : Buffer.from(given)
}

/** In our words: those of the library differ between versions and may quote what they were given. */
function whyOf(pem: Buffer, hasPassword: boolean): string {
  if (hasPassword) return 'is no private key in PEM that can be read, or its password is another'
  if (pem.includes('ENCRYPTED')) return 'has a password; set securityKeyPassword'
  return 'is no private key in PEM that can be read'
}

function invalid(source: string, what: string): SecurityError {
  return new SecurityError('TASKS_SECURITY_KEY_INVALID', `${source} ${what}`)
}
