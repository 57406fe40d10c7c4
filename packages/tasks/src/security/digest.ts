/** The hash of signatures, by the names of Node and of Python, and how long the salt is with it. */
import { createHash, getHashes } from 'node:crypto'
import { didYouMean } from '@celeriac/messaging/internal'
import { ConfigError } from '../kernel/errors.ts'

export class Digest {
  readonly name: string
  readonly #bytes: number

  /** Throws `TASKS_CONFIG_INVALID` for an unknown name. */
  constructor(given: string) {
    // Python's names: SHA512_256, SHA3_256.
    this.name = given.toLowerCase().replaceAll('_', '-')
    try {
      this.#bytes = createHash(this.name).digest().length
    } catch (error) {
      throw new ConfigError(
        'TASKS_CONFIG_INVALID',
        `securityDigest: no hash '${given}'.${didYouMean(this.name, getHashes())} Usual: sha256, sha384, sha512`,
        'securityDigest',
        { cause: error },
      )
    }
  }

  /** The longest salt a key of so many bits has room for; negative when there is none for the hash itself. */
  saltLength(modulusBits: number): number {
    return Math.ceil((modulusBits - 1) / 8) - this.#bytes - 2
  }
}
