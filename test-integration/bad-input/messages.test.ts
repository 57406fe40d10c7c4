// Messages that are not as they should be: each is put aside in `celeriac.parked` with the reason, whoever
// waits for it is told where that is possible, and the worker goes on with the next one.
import { randomUUID } from 'node:crypto'
import { deflateSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { Headers } from '@celeriac/messaging'
import { goodHeaders, Workbench, type RawMessage } from '../fixtures/workbench.ts'
import {
  describeWith,
  startPrivateRabbit,
  startPrivateRedis,
  uniqueName,
  type ControlledServer,
} from '../services/brokers.ts'

interface Case {
  readonly name: string
  readonly message: (id: string) => RawMessage
  /** Begins the reason it is parked with. */
  readonly reason: RegExp
  /** Name of the error whoever waits gets; undefined where nobody can be told. */
  readonly error?: string
}

const body = '[[1, 2], {}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]'

const cases: readonly Case[] = [
  {
    name: 'a body that is not JSON',
    message: (id) => ({ headers: goodHeaders(id), body: '[[1, 2' }),
    reason: /^rejected: .*body is not valid json/,
  },
  {
    name: 'a body that is not even text',
    message: (id) => ({ headers: goodHeaders(id), body: new Uint8Array([0xff, 0xfe, 0x00, 0x01]) }),
    reason: /^rejected: .*body is not valid json/,
  },
  {
    name: 'a body of two elements',
    message: (id) => ({ headers: goodHeaders(id), body: '[[1, 2], {}]' }),
    reason: /^rejected: .*body/,
  },
  {
    name: 'arguments that are no list',
    message: (id) => ({ headers: goodHeaders(id), body: '[{"0": 1}, {}, {}]' }),
    reason: /^rejected: /,
  },
  {
    name: 'keyword arguments that are no mapping',
    message: (id) => ({ headers: goodHeaders(id), body: '[[1, 2], [3], {}]' }),
    reason: /^rejected: /,
  },
  {
    name: 'an unknown type in the body',
    message: (id) => ({
      headers: goodHeaders(id),
      body: '[[{"__type__": "quaternion", "__value__": 1}], {}, {}]',
    }),
    reason: /^rejected: .*quaternion/,
  },
  { name: 'no headers', message: () => ({ headers: {}, body }), reason: /^(no-task|bad-body): / },
  {
    name: 'neither headers nor a readable body',
    message: () => ({ headers: {}, body: 'nothing' }),
    reason: /^bad-body: /,
  },
  {
    name: 'a task without id',
    message: () => ({ headers: { task: 'bench.add', lang: 'py' }, body }),
    reason: /^no-id: .*bench\.add/,
  },
  {
    name: 'an empty content type',
    message: (id) => ({ headers: goodHeaders(id), body, properties: { contentType: '' } }),
    reason: /^rejected: .*content type ''/,
  },
  {
    name: 'an unknown content type',
    message: (id) => ({
      headers: goodHeaders(id),
      body,
      properties: { contentType: 'application/x-nobody-knows' },
    }),
    reason: /^rejected: .*application\/x-nobody-knows/,
  },
  {
    name: 'a content type with a charset, which Python refuses too',
    message: (id) => ({
      headers: goodHeaders(id),
      body,
      properties: { contentType: 'application/json; charset=utf-8' },
    }),
    reason: /^rejected: .*content type/,
  },
  {
    name: 'pickled content',
    message: (id) => ({
      headers: goodHeaders(id),
      body: new Uint8Array([0x80, 4, 0x5d, 0x2e]),
      properties: { contentType: 'application/x-python-serialize', contentEncoding: 'binary' },
    }),
    reason: /^rejected: .*application\/x-python-serialize/,
  },
  {
    name: 'an unknown compression',
    message: (id) => ({
      headers: { ...goodHeaders(id), compression: 'application/x-squeeze' },
      body,
    }),
    reason: /^rejected: .*application\/x-squeeze/,
  },
  {
    name: 'a body that is not compressed as it says',
    message: (id) => ({ headers: { ...goodHeaders(id), compression: 'application/x-gzip' }, body }),
    reason: /^rejected: .*application\/x-gzip/,
  },
  {
    name: 'a body that grows beyond the limit when it is unpacked',
    message: (id) => ({
      headers: { ...goodHeaders(id), compression: 'application/x-gzip' },
      body: bomb(),
    }),
    reason: /^rejected: .*at most 134217728 bytes/,
  },
  {
    name: 'an eta that is a number',
    message: (id) => ({ headers: { ...goodHeaders(id), eta: 1_795_161_132 }, body }),
    reason: /^bad-eta: .*1795161132/,
  },
  {
    name: 'an eta that is no time',
    message: (id) => ({ headers: { ...goodHeaders(id), eta: 'tomorrow' }, body }),
    reason: /^bad-eta: .*tomorrow/,
  },
  {
    name: 'a task that nobody knows',
    message: (id) => ({ headers: goodHeaders(id, 'bench.ad'), body }),
    reason: /^unknown-task: .*bench\.ad.*Did you mean.*bench\.add/,
    error: 'NotRegistered',
  },
]

let packed: Uint8Array | undefined

function textOf(headers: Headers, ...names: readonly string[]): string {
  return names.map((name) => headers[`x-parked-${name}`] as string).join(': ')
}

/** What whoever waits for it is told; undefined when nobody can be told. */
async function errorOf(bench: Workbench, id: string): Promise<string | undefined> {
  const record = await (await bench.app.result(id)).info()
  return (record?.result as { exc_type?: string } | undefined)?.exc_type
}

/** 129 MiB of blanks in 130 KB. */
function bomb(): Uint8Array {
  return (packed ??= deflateSync(Buffer.alloc(129 * 1024 * 1024, ' ')))
}

function suite(start: () => Promise<{ broker: string; backend?: string; end(): Promise<void> }>) {
  let bench: Workbench
  let end: () => Promise<void>

  beforeAll(async () => {
    const started = await start()
    end = started.end
    const { broker, backend = 'memory://bad-input' } = started
    bench = await Workbench.open({ broker, backend }, uniqueName('bad'))
  })

  afterAll(async () => {
    await bench?.close()
    await end?.()
  })

  it.each(cases)('parks $name', async ({ message, reason, error }) => {
    const before = bench.parked.length
    const id = randomUUID()
    const sent = message(id)

    await bench.publish(sent)

    const { parked, headers, body: kept } = await bench.nextParked(before)
    expect(parked.reason).toMatch(reason)
    expect(textOf(headers, 'reason', 'detail')).toMatch(reason)
    expect(headers['x-parked-queue']).toBe(bench.queue)
    // What was sent is all there, to be replayed.
    expect(headers).toMatchObject(sent.headers ?? {})
    expect(kept).toBe(Buffer.from(sent.body ?? '').toString())
    expect(await errorOf(bench, id)).toBe(error)
    expect(await bench.works()).toBe(true)
  })

  it('runs what is only unusual', async () => {
    const id = randomUUID()
    // As little as Python accepts: two headers, and an embed of nothing.
    await bench.publish({ headers: { task: 'bench.add', id }, body: '[[1, 2], {}, null]' })

    expect(await (await bench.app.result(id)).get({ timeout: 5 })).toBe(3)
  })

  it('takes an empty expires, which stops a Python worker, for none', async () => {
    const id = randomUUID()
    await bench.publish({ headers: { ...goodHeaders(id), eta: '', expires: '' }, body })

    expect(await (await bench.app.result(id)).get({ timeout: 5 })).toBe(3)
  })
}

async function serverOf(server: ControlledServer) {
  return Promise.resolve({ broker: server.url, end: () => server.dispose() })
}

describe('a worker on the memory broker', () => {
  suite(() =>
    Promise.resolve({ broker: `memory://${uniqueName('bad')}`, end: () => Promise.resolve() }),
  )
})

describeWith('redis', 'a worker on Redis', () => {
  suite(async () => serverOf(await startPrivateRedis()))
})

describeWith('rabbitmq', 'a worker on RabbitMQ', () => {
  suite(async () => serverOf(await startPrivateRabbit()))
})
