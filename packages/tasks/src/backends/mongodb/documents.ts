/** Records ⇄ the documents Celery keeps: the fields beside one another, only the value encoded. Pure. */
import type { StoredData } from '../../backend/backend.ts'
import { jsonResults, type Encoded, type ResultCodec } from '../../backend/result-codec.ts'
import { recordFrom, valuesOf, type ResultRecord } from '../../backend/result-record.ts'

type Fields = Readonly<Record<string, unknown>>

const nestedField = 'celeriac_nested'

export function documentOf(record: ResultRecord, codec: ResultCodec): Fields {
  const { task_id: id, result, date_done: done, ...values } = valuesOf(record)
  return {
    _id: id,
    ...values,
    result: payloadOf(codec, result),
    date_done: typeof done === 'string' ? new Date(done) : null,
  }
}

/** Texts where the serializer writes texts, as Celery stores them; else bytes, which become `Binary`. */
export function payloadOf(codec: ResultCodec, value: unknown): string | Buffer {
  const data = codec.encode(value)
  if (typeof data === 'string') return data
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  return codec.contentEncoding === 'utf-8' ? bytes.toString() : bytes
}

/** The same document for a server that takes no lists within lists: those fields lie in one text beside. */
export function withoutNesting(document: Fields): Fields {
  const nested = Object.entries(document).filter(([, value]) => hasNesting(value, false))
  if (nested.length === 0) return document
  return {
    ...document,
    ...Object.fromEntries(nested.map(([name]) => [name, null])),
    [nestedField]: jsonResults.encode(Object.fromEntries(nested)),
  }
}

function hasNesting(value: unknown, isInList: boolean): boolean {
  if (Array.isArray(value)) return isInList || value.some((one) => hasNesting(one, true))
  if (typeof value !== 'object' || value === null || isBytes(value)) return false
  return Object.values(value).some((one) => hasNesting(one, false))
}

function isBytes(value: object): boolean {
  return value instanceof Uint8Array || value instanceof Date
}

export function recordOf(data: StoredData, codec: ResultCodec): ResultRecord {
  const { _id: id, result, date_done: done, [nestedField]: nested, ...values } = data as Fields
  return recordFrom({
    ...values,
    ...(typeof nested === 'string' && (jsonResults.decode(nested) as Fields)),
    task_id: id,
    result: valueOf(result, codec),
    date_done: done instanceof Date ? done.toISOString().replace('Z', '+00:00') : null,
  })
}

/** A value as it lies in a document. What is neither text nor bytes was stored by Celery's serializer `bson`. */
export function valueOf(payload: unknown, codec: ResultCodec): unknown {
  const encoded = encodedOf(payload)
  return encoded === undefined ? payload : codec.decode(encoded)
}

function encodedOf(payload: unknown): Encoded | undefined {
  if (typeof payload === 'string' || payload instanceof Uint8Array) return payload
  const binary = payload as { _bsontype?: unknown; value?(): Uint8Array } | null | undefined
  return binary?._bsontype === 'Binary' ? binary.value?.() : undefined
}
