/**
 * Values and whole records ⇄ what the serializer of results writes. JSON gives text, as Celery's stores
 * keep it; other serializers give bytes.
 */
import { parseJson, stringifyJson, type BodyCodec } from '@celeriac/messaging/internal'
import { TasksError } from '../kernel/errors.ts'
import { recordFrom, valuesOf, type ResultRecord } from './result-record.ts'

export type Encoded = string | Uint8Array

export interface ResultCodec {
  /** True for JSON: everything it writes is text. */
  readonly isText: boolean
  readonly serializer: string
  readonly contentType: string
  readonly contentEncoding: string
  /** Throws what the serializer throws when the value cannot be carried. */
  encode(value: unknown): Encoded
  /** Throws `TASKS_RESULT_INVALID` for what is not its own. */
  decode(data: Encoded): unknown
  encodeRecord(record: ResultRecord): Encoded
  /** Throws `TASKS_RESULT_INVALID` when it is no record. */
  decodeRecord(data: Encoded): ResultRecord
  /** True for an encoded record whose state is final for good. */
  isSuccess(data: Encoded): boolean
}

const successfulJson = /^\{"status": ?"SUCCESS"/

abstract class RecordCodec {
  abstract encode(value: unknown): Encoded
  abstract decode(data: Encoded): unknown

  encodeRecord(record: ResultRecord): Encoded {
    return this.encode(valuesOf(record))
  }

  decodeRecord(data: Encoded): ResultRecord {
    return recordFrom(this.decode(data))
  }
}

class JsonResults extends RecordCodec implements ResultCodec {
  readonly isText = true
  readonly serializer = 'json'
  readonly contentType = 'application/json'
  readonly contentEncoding = 'utf-8'

  encode(value: unknown): string {
    return stringifyJson(value)
  }

  decode(data: Encoded): unknown {
    return guarded(() => parseJson(textOf(data)))
  }

  isSuccess(data: Encoded): boolean {
    return successfulJson.test(typeof data === 'string' ? data : textOf(data.subarray(0, 40)))
  }
}

/** Results as JSON, whatever else is configured. */
export const jsonResults: ResultCodec = new JsonResults()

class OtherResults extends RecordCodec implements ResultCodec {
  readonly isText = false
  readonly serializer: string
  readonly contentType: string
  readonly contentEncoding: string
  readonly #codec: BodyCodec

  constructor(codec: BodyCodec, name: string) {
    super()
    const { contentType, contentEncoding } = codec.serializer(name)
    this.serializer = name
    this.contentType = contentType
    this.contentEncoding = contentEncoding
    this.#codec = codec
  }

  encode(value: unknown): Uint8Array {
    return this.#codec.encode(value, this.serializer).body
  }

  decode(data: Encoded): unknown {
    const body = typeof data === 'string' ? Buffer.from(data) : data
    const { contentType, contentEncoding } = this
    return guarded(() =>
      this.#codec.decode({ body, headers: {}, properties: { contentType, contentEncoding } }),
    )
  }

  isSuccess(data: Encoded): boolean {
    try {
      return this.decodeRecord(data).status === 'SUCCESS'
    } catch {
      // What nobody can read may be replaced.
      return false
    }
  }
}

/**
 * The codec of results for a serializer of this codec. Rejects with `MESSAGING_CONTENT_UNKNOWN` for one that
 * does not exist, and why it cannot be loaded. `accept` must name it, as for messages.
 */
export async function resultCodec(
  codec: BodyCodec,
  serializer: string,
  accept: readonly string[],
): Promise<ResultCodec> {
  const { name } = codec.serializer(serializer)
  if (!accept.some((one) => codec.serializer(one).name === name)) {
    throw new TasksError(
      'TASKS_CONFIG_INVALID',
      `resultSerializer is '${serializer}', but results are read as ${accept.join(', ')} only; add it to resultAcceptContent`,
    )
  }
  if (name === 'json') return jsonResults
  const only = codec.accepting([name])
  await only.prepare(name)
  return new OtherResults(only, name)
}

function textOf(data: Encoded): string {
  return typeof data === 'string' ? data : Buffer.from(data).toString()
}

function guarded<T>(decode: () => T): T {
  try {
    return decode()
  } catch (error) {
    throw new TasksError(
      'TASKS_RESULT_INVALID',
      `a stored result cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    )
  }
}
