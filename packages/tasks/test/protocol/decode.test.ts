import { readdirSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import type { Headers } from '@celeriac/messaging'
import { decodeMeta, decodePayload, decodeProtocol1 } from '../../src/protocol/decode.ts'
import { encodeTask } from '../../src/protocol/encode.ts'
import { emptyEmbed, type TaskMeta, type TaskPayload } from '../../src/protocol/task-message.ts'
import { formatIso, parseIso } from '../../src/protocol/times.ts'
import { captured, capturedMessages, loadVector, type Captured } from '../vectors.ts'

function meta(headers: Record<string, unknown>): TaskMeta {
  const result = decodeMeta({ id: 'i', task: 't', ...headers } as Headers, {})
  if (!result.ok) throw new Error(result.detail)
  return result.meta
}

const plainText: Record<string, unknown> = { id: 'i', task: 't' }

describe('headers', () => {
  it('of the least message a Python worker takes', () => {
    expect(decodeMeta({ id: 'i', task: 't' }, {})).toEqual({
      ok: true,
      meta: {
        id: 'i',
        task: 't',
        shadow: undefined,
        etaMs: undefined,
        expiresMs: undefined,
        groupId: undefined,
        groupIndex: undefined,
        retries: 0,
        hardLimit: undefined,
        softLimit: undefined,
        rootId: 'i',
        parentId: undefined,
        argsRepr: '',
        kwargsRepr: '',
        origin: undefined,
        ignoreResult: false,
        replacedTaskNesting: 0,
        stampedHeaders: undefined,
        stamps: {},
        headers: {},
        correlationId: undefined,
        replyTo: undefined,
        priority: undefined,
      },
    })
  })

  it.each<[string, Record<string, unknown>, Partial<TaskMeta>]>([
    ['limits, hard first', { timelimit: [60, 50.5] }, { hardLimit: 60, softLimit: 50.5 }],
    ['no limits', { timelimit: null }, { hardLimit: undefined, softLimit: undefined }],
    ['retries of null', { retries: null }, { retries: 0 }],
    ['64-bit integers of AMQP', { retries: 3n, group_index: 4n }, { retries: 3, groupIndex: 4 }],
    ['index 0', { group: 'g', group_index: 0 }, { groupId: 'g', groupIndex: 0 }],
    ['eta with Z', { eta: '2024-01-01T00:00:00.123Z' }, { etaMs: 1_704_067_200_123 }],
    ['eta with a space', { eta: '2024-01-01 00:00:00+00:00' }, { etaMs: 1_704_067_200_000 }],
    ['eta as an AMQP time', { eta: new Date(5000) }, { etaMs: 5000 }],
    ['empty eta', { eta: '' }, { etaMs: undefined }],
    ['empty expires', { expires: '' }, { expiresMs: undefined }],
    ['stamps missing', { stamped_headers: ['a'] }, { stampedHeaders: ['a'], stamps: {} }],
    ['own headers', { 'x-a': { b: [1] } }, { headers: { 'x-a': { b: [1] } } }],
    [
      "headers of brokers and codecs, which are nobody's own",
      { redelivered: true, compression: 'x', 'x-death': [], 'x-delivery-count': 2 },
      { headers: {} },
    ],
    ['root and parent', { root_id: 'r', parent_id: 'p' }, { rootId: 'r', parentId: 'p' }],
    ['ignored result', { ignore_result: true }, { ignoreResult: true }],
  ])('%s', (_name, headers, expected) => {
    expect(meta(headers)).toMatchObject(expected)
  })

  it('takes what replies need from the properties', () => {
    const result = decodeMeta(plainText as Headers, {
      correlationId: 'c',
      replyTo: 'r',
      priority: 0,
    })

    expect(result).toMatchObject({ meta: { correlationId: 'c', replyTo: 'r', priority: 0 } })
  })

  it.each<[string, Record<string, unknown> | null, string]>([
    ['no headers', null, 'no-task'],
    ['no task', { id: 'i' }, 'no-task'],
    ['an empty task', { id: 'i', task: '' }, 'no-task'],
    ['no id', { task: 't' }, 'no-id'],
    ['a numeric id', { task: 't', id: 7 }, 'no-id'],
    ['a numeric eta', { ...plainText, eta: 1_700_000_000 }, 'bad-eta'],
    ['an eta that is no time', { ...plainText, eta: 'soon' }, 'bad-eta'],
    ['an invalid AMQP time', { ...plainText, eta: new Date(NaN) }, 'bad-eta'],
    ['numeric expires', { ...plainText, expires: 5 }, 'bad-expires'],
  ])('says what is wrong with %s', (_name, headers, reason) => {
    expect(decodeMeta(headers as Headers, {})).toMatchObject({ ok: false, reason })
  })

  it('shows what it found', () => {
    const result = decodeMeta({ ...plainText, eta: 1_700_000_000 } as Headers, {})

    expect(result).toMatchObject({ detail: 'eta must be ISO 8601 text, not 1700000000' })
  })
})

describe('body', () => {
  const signature = { task: 't', args: [], kwargs: {}, options: {}, subtask_type: null }

  it.each<[string, unknown, TaskPayload]>([
    ['without anything following', [[1], { a: 1 }, null], payload([1], { a: 1 })],
    ['with an empty embed', [[], {}, {}], payload([], {})],
    ['with unknown keys', [[], {}, { 'x-extra': 1, chain: null }], payload([], {})],
    ['with kwargs of null', [[], null, {}], payload([], {})],
    [
      'with lists',
      [[], {}, { callbacks: [signature], errbacks: [], chain: [signature], chord: signature }],
      payload(
        [],
        {},
        { callbacks: [signature], errbacks: [], chain: [signature], chord: signature },
      ),
    ],
    [
      'with one callback that is not in a list',
      [[], {}, { callbacks: signature }],
      payload([], {}, { callbacks: [signature] }),
    ],
  ])('%s', (_name, body, expected) => {
    expect(decodePayload(body)).toEqual({ ok: true, payload: expected })
  })

  it.each<[string, unknown, string]>([
    ['text', 'hello', 'bad-body'],
    ['nothing', undefined, 'bad-body'],
    ['two elements', [[], {}], 'bad-body'],
    ['four elements', [[], {}, {}, {}], 'bad-body'],
    ['text as args', ['ab', {}, {}], 'bad-args'],
    ['no args', [null, {}, {}], 'bad-args'],
    ['an array as kwargs', [[], [], {}], 'bad-kwargs'],
    ['a date as kwargs', [[], new Date(0), {}], 'bad-kwargs'],
    ['text as embed', [[], {}, 'x'], 'bad-embed'],
    ['text as a chain', [[], {}, { chain: 'x' }], 'bad-embed'],
    ['a list as a chord', [[], {}, { chord: [] }], 'bad-embed'],
  ])('says what is wrong with %s', (_name, body, reason) => {
    expect(decodePayload(body)).toMatchObject({ ok: false, reason })
  })
})

function payload(
  args: unknown[],
  kwargs: Record<string, unknown>,
  embed: Record<string, unknown> = {},
): TaskPayload {
  return { args, kwargs, embed: { ...emptyEmbed, ...embed } }
}

describe('protocol 1', () => {
  it('is read from the body', () => {
    const [message] = capturedMessages('proto1-simple')

    const result = decodeProtocol1(message!.body, message!.properties)

    expect(result).toMatchObject({
      ok: true,
      meta: {
        task: 'proj.tasks.add',
        etaMs: parseIso('2026-11-20T07:46:24.380787+00:00'),
        expiresMs: parseIso('2026-11-20T07:47:19.380787+00:00'),
        argsRepr: '(1, 2)',
        kwargsRepr: '{}',
        retries: 0,
      },
      payload: { args: [1, 2], kwargs: {}, embed: emptyEmbed },
    })
  })

  it('has chains as nested callbacks', () => {
    const [message] = capturedMessages('proto1-chain')

    const result = decodeProtocol1(message!.body, message!.properties)

    expect(result).toMatchObject({
      payload: { embed: { callbacks: [{ task: 'proj.tasks.mul', args: [3] }], chain: null } },
    })
  })

  it('needs no more than a task and an id', () => {
    expect(decodeProtocol1({ task: 't', id: 'i', taskset: 'g' }, {})).toMatchObject({
      ok: true,
      meta: { id: 'i', rootId: 'i', groupId: 'g' },
      payload: { args: [], kwargs: {} },
    })
  })

  it.each<[string, unknown, string]>([
    ['text', 'hello', 'no-task'],
    ['an array', [1], 'no-task'],
    ['a mapping without a task', { id: 'i' }, 'no-task'],
    ['no id', { task: 't' }, 'no-id'],
    ['args that are no array', { task: 't', id: 'i', args: {} }, 'bad-args'],
    ['a chord that is no signature', { task: 't', id: 'i', chord: 1 }, 'bad-embed'],
    ['a numeric eta', { task: 't', id: 'i', eta: 1 }, 'bad-eta'],
  ])('says what is wrong with %s', (_name, body, reason) => {
    expect(decodeProtocol1(body, {})).toMatchObject({ ok: false, reason })
  })
})

describe('what a Python worker makes of hand-made messages', () => {
  const cases = loadVector('accept-task-messages')['cases'] as {
    case: string
    raw: string
    executed: boolean
  }[]
  /** Left to the transport, to the registry, or answered differently on purpose. */
  const elsewhere = new Set([
    'not-json',
    'no-delivery-info',
    'no-delivery-tag',
    'content-type-charset',
    'content-type-missing',
    'unregistered',
    'expires-empty',
    'args-string',
  ])
  const rows = cases.filter((one) => !elsewhere.has(one.case))

  it.each(rows)('$case: executed $executed', ({ raw, executed }) => {
    const envelope = JSON.parse(raw) as Record<string, unknown>
    const properties = envelope['properties'] as Record<string, unknown>
    const text = envelope['body'] as string
    const encoded = properties['body_encoding'] === 'base64'
    const body: unknown = JSON.parse(encoded ? Buffer.from(text, 'base64').toString() : text)

    expect(isTask(captured(envelope, body))).toBe(executed)
  })

  it('leaves few of them out', () => {
    expect(rows.length).toBeGreaterThan(25)
  })
})

function isTask({ headers, properties, body }: Captured): boolean {
  const read = decodeMeta(headers, properties)
  if (read.ok) return decodePayload(body).ok
  return read.reason === 'no-task' && decodeProtocol1(body, properties).ok
}

describe('every captured task', () => {
  const names = readdirSync(new URL('../../../../vectors/', import.meta.url))
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -5))
  const tasks = names.flatMap((name) =>
    capturedMessages(name)
      .filter(({ headers, body }) => headers?.['task'] !== undefined && Array.isArray(body))
      .map((message, place) => ({ name: `${name} ${place + 1}`, message })),
  )

  it('is looked at', () => {
    expect(tasks.length).toBeGreaterThan(150)
  })

  it.each(tasks)('$name: written again as it was read', ({ message }) => {
    const { headers, properties, body } = message
    const read = decodeMeta(headers, properties)
    const content = decodePayload(body)
    if (!read.ok || !content.ok) throw new Error('not read')
    const { etaMs, expiresMs, origin, replyTo, ...rest } = read.meta

    const written = encodeTask(
      {
        ...rest,
        ...content.payload,
        origin: origin!,
        replyTo: replyTo!,
        eta: etaMs === undefined ? undefined : formatIso(etaMs),
      },
      0,
    )

    const { compression: _compression, expires: _expires, ...kept } = headers
    expect({ ...written.headers, expires: null }).toEqual({
      ...kept,
      lang: 'js',
      eta: sameInstant(headers['eta']),
      expires: null,
    })
    expect(written.body).toEqual(body)
    expect(written.properties).toMatchObject({ correlationId: properties.correlationId })
    const readAgain = sameInstant(headers['expires'])
    expect(expiresMs).toBe(readAgain === null ? undefined : parseIso(readAgain))
  })
})

/** The same time as text in UTC. */
function sameInstant(text: unknown): string | null {
  return typeof text === 'string' ? formatIso(parseIso(text)!) : null
}
