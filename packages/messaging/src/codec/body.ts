/**
 * Value ⇄ message body, with the tables of serializers and compressors it was given: picks them by name
 * when encoding and by what the message says when decoding, and refuses content nobody agreed to accept.
 */
import { MessagingError, messageOf } from '../kernel/errors.ts'
import { didYouMean } from '../kernel/suggest.ts'
import type { Message } from '../message/message.ts'
import type { Compressor } from './compressor.ts'
import { Loading } from './loading.ts'
import type { Serializer } from './serializer.ts'

export interface BodyCodecOptions {
  readonly serializers: readonly Serializer[]
  readonly compressors: readonly Compressor[]
  /** Serializer names or content types that may be decoded. */
  readonly accept: readonly string[]
  /** Longest body after decompression, in bytes. */
  readonly limitBytes: number
}

export interface EncodedBody {
  readonly body: Uint8Array
  readonly contentType: string
  readonly contentEncoding: string
  /** Value of the `compression` header, when compressed. */
  readonly compression?: string
}

/** Kombu decodes these whatever is accepted: bytes and text cannot do anything. */
const trusted: readonly string[] = ['application/data', 'application/text']
/** What a body is that does not say it. */
const untyped = 'application/data'

export class BodyCodec {
  readonly #byName = new Map<string, Serializer>()
  readonly #byContentType = new Map<string, Serializer>()
  readonly #compressors = new Map<string, Compressor>()
  readonly #accepted = new Set(trusted)
  readonly #loading = new Loading()
  readonly #limitBytes: number
  readonly #options: BodyCodecOptions

  constructor(options: BodyCodecOptions) {
    for (const serializer of options.serializers) {
      this.#byName.set(serializer.name, serializer)
      this.#byContentType.set(serializer.contentType, serializer)
    }
    const text = this.#byContentType.get('text/plain')
    if (text && !this.#byContentType.has('application/text')) {
      this.#byContentType.set('application/text', text)
    }
    for (const compressor of options.compressors) {
      for (const name of [compressor.contentType, ...compressor.names]) {
        this.#compressors.set(name, compressor)
      }
    }
    for (const name of options.accept) {
      const serializer = this.#byName.get(name) ?? this.#byContentType.get(name)
      if (!serializer) throw unknownSerializer(name, this.#byName.keys())
      this.#accepted.add(serializer.contentType)
    }
    this.#limitBytes = options.limitBytes
    this.#options = options
  }

  /** The same codec, but decoding other content. Throws `MESSAGING_CONTENT_UNKNOWN` for an unknown name. */
  accepting(accept: readonly string[]): BodyCodec {
    return new BodyCodec({ ...this.#options, accept })
  }

  /** The serializer of that name; `MESSAGING_CONTENT_UNKNOWN` when there is none. */
  serializer(name: string): Serializer {
    const serializer = this.#byName.get(name) ?? this.#byContentType.get(name)
    if (!serializer) throw unknownSerializer(name, this.#byName.keys())
    return serializer
  }

  /**
   * Makes ready what `encode` takes for these names. Undefined when it is ready or unknown, so that whoever
   * publishes need not wait; rejects when it cannot be loaded, and `encode` then throws the same.
   */
  prepare(serializerName: string, compression?: string): Promise<void> | undefined {
    const serializer = this.#byName.get(serializerName) ?? this.#byContentType.get(serializerName)
    const compressor = compression === undefined ? undefined : this.#compressors.get(compression)
    return this.#prepare(serializer, compressor)
  }

  /** The same for what `decode` takes for this message; nothing is loaded for content that is refused. */
  prepareFor(message: Message): Promise<void> | undefined {
    const contentType = message.properties.contentType ?? untyped
    if (!this.#accepted.has(contentType)) return undefined
    const compression = message.headers['compression']
    return this.#prepare(
      this.#byContentType.get(contentType),
      typeof compression === 'string' ? this.#compressors.get(compression) : undefined,
    )
  }

  #prepare(
    serializer: Serializer | undefined,
    compressor: Compressor | undefined,
  ): Promise<void> | undefined {
    const one = serializer && this.#loading.prepare(serializer)
    const other = compressor && this.#loading.prepare(compressor)
    return one && other ? Promise.all([one, other]).then(() => undefined) : (one ?? other)
  }

  /** Throws `MESSAGING_ENCODE_FAILED` with the reason when the value cannot be carried. */
  encode(value: unknown, serializerName: string, compression?: string): EncodedBody {
    const serializer = this.serializer(serializerName)
    this.#loading.check(serializer)
    let body: Uint8Array
    try {
      body = serializer.encode(value)
    } catch (error) {
      throw new MessagingError(
        'MESSAGING_ENCODE_FAILED',
        'message',
        `the value cannot be written as ${serializer.name}: ${messageOf(error)}`,
        { cause: error },
      )
    }
    const { contentType, contentEncoding } = serializer
    if (compression === undefined) return { body, contentType, contentEncoding }
    const compressor = this.#compressor(compression)
    this.#loading.check(compressor)
    try {
      body = compressor.encode(body)
    } catch (error) {
      throw new MessagingError(
        'MESSAGING_ENCODE_FAILED',
        'message',
        `${body.length} bytes cannot be compressed as ${compression}: ${messageOf(error)}`,
        { cause: error },
      )
    }
    return { body, contentType, contentEncoding, compression: compressor.contentType }
  }

  /**
   * The value a message carries. Throws `MESSAGING_CONTENT_DISALLOWED` for content that is not accepted,
   * `MESSAGING_CONTENT_UNKNOWN` for content nobody here can read, `MESSAGING_DECODE_FAILED` for bytes
   * that are not what they say, `MESSAGING_GLOBAL_REFUSED` for a pickle of more than plain values,
   * `MESSAGING_TOO_LARGE` beyond the limit, and why its codec could not be loaded (`prepareFor`).
   */
  decode(message: Message): unknown {
    const contentType = message.properties.contentType ?? untyped
    const serializer = this.#byContentType.get(contentType)
    if (!serializer) {
      throw new MessagingError(
        'MESSAGING_CONTENT_UNKNOWN',
        'message',
        `no serializer for content type '${contentType}'; known: ${[...this.#byContentType.keys()].join(', ')}`,
      )
    }
    if (!this.#accepted.has(contentType)) {
      throw new MessagingError(
        'MESSAGING_CONTENT_DISALLOWED',
        'message',
        `content type '${contentType}' is not accepted here; accepted: ${[...this.#accepted].join(', ')}`,
      )
    }
    this.#loading.check(serializer)
    const bytes = this.#decompress(message)
    try {
      return serializer.decode(bytes)
    } catch (error) {
      // A refused global says more than that the body is not valid.
      if (MessagingError.is(error)) throw error
      throw new MessagingError(
        'MESSAGING_DECODE_FAILED',
        'message',
        `the body is not valid ${serializer.name}: ${messageOf(error)}`,
        { cause: error },
      )
    }
  }

  #decompress(message: Message): Uint8Array {
    const compression = message.headers['compression']
    let bytes = message.body
    if (typeof compression === 'string' && compression !== '') {
      const compressor = this.#compressor(compression)
      this.#loading.check(compressor)
      try {
        bytes = compressor.decode(bytes, this.#limitBytes)
      } catch (error) {
        throw new MessagingError(
          'MESSAGING_DECODE_FAILED',
          'message',
          `the body is not valid ${compression} of at most ${this.#limitBytes} bytes: ${messageOf(error)}`,
          { cause: error },
        )
      }
    }
    if (bytes.length > this.#limitBytes) {
      throw new MessagingError(
        'MESSAGING_TOO_LARGE',
        'message',
        `the body has ${bytes.length} bytes, at most ${this.#limitBytes} are accepted`,
      )
    }
    return bytes
  }

  #compressor(name: string): Compressor {
    const compressor = this.#compressors.get(name)
    if (compressor) return compressor
    throw new MessagingError(
      'MESSAGING_CONTENT_UNKNOWN',
      'message',
      `no compressor '${name}'.${didYouMean(name, this.#compressors.keys())} Known: ${[...this.#compressors.keys()].join(', ')}`,
    )
  }
}

function unknownSerializer(name: string, known: Iterable<string>): MessagingError {
  const names = [...known]
  return new MessagingError(
    'MESSAGING_CONTENT_UNKNOWN',
    'message',
    `no serializer '${name}'.${didYouMean(name, names)} Known: ${names.join(', ')}`,
  )
}
