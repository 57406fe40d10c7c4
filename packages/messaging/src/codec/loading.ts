/**
 * Which codecs are ready to work. Those that need a package or a WebAssembly module load it when they are
 * first wanted; all others are ready from the start.
 */
import { asMessagingError, MessagingError } from '../kernel/errors.ts'
import type { Compressor } from './compressor.ts'
import type { Serializer } from './serializer.ts'

type Codec = Serializer | Compressor

export class Loading {
  readonly #ready = new WeakSet<Codec>()
  readonly #under = new Map<Codec, Promise<void>>()
  readonly #failures = new WeakMap<Codec, MessagingError>()

  /** Resolves when it is ready, rejects when it cannot be; undefined when it is ready already. */
  prepare(codec: Codec): Promise<void> | undefined {
    if (codec.load === undefined || this.#ready.has(codec)) return undefined
    let loading = this.#under.get(codec)
    if (!loading) {
      loading = this.#load(codec, codec.load.bind(codec))
      this.#under.set(codec, loading)
    }
    return loading
  }

  /** Throws why it is not ready. */
  check(codec: Codec): void {
    if (codec.load === undefined || this.#ready.has(codec)) return
    throw (
      this.#failures.get(codec) ??
      new MessagingError(
        'MESSAGING_NOT_LOADED',
        'message',
        `${nameOf(codec)} is not loaded yet; await codec.prepare() first`,
      )
    )
  }

  async #load(codec: Codec, load: () => Promise<void>): Promise<void> {
    try {
      await load()
      this.#ready.add(codec)
    } catch (error) {
      const failure = asMessagingError(
        error,
        'MESSAGING_PACKAGE_MISSING',
        'message',
        `${nameOf(codec)} could not be loaded`,
      )
      this.#failures.set(codec, failure)
      throw failure
    } finally {
      // A later call tries again: the package may be there by then.
      this.#under.delete(codec)
    }
  }
}

function nameOf(codec: Codec): string {
  return 'name' in codec ? codec.name : (codec.names[0] ?? codec.contentType)
}
