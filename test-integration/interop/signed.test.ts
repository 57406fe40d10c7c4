// Signed messages between Python and us: both take what the other has signed, and neither what was changed.
import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { Connection, silentLogger, type Message } from '@celeriac/messaging'
import { chain, chord, type Celeriac } from '@celeriac/tasks'
import { fixtures } from '../fixtures/children.ts'
import { quietApp, removeQueues } from '../fixtures/clients.ts'
import { OurWorker } from '../fixtures/our-worker.ts'
import { PythonClient, PythonWorker } from '../fixtures/python.ts'
import { until } from '../fixtures/waiting.ts'
import { describeWith, pythonPath, uniqueName, urlOf } from '../services/brokers.ts'

const soon = { timeout: 20 }
const password = 'open sesame'
const ofPython = { task_serializer: 'auth', accept_content: ['auth'] }
const ofOurs = { taskSerializer: 'auth', acceptContent: ['auth'] }

describeWith(['redis', 'python'], 'signed messages', () => {
  let folder: string
  let ids: Record<'python' | 'ours' | 'stranger', string>

  beforeAll(async () => {
    folder = join(await mkdtemp(join(tmpdir(), 'celeriac-signed-')), 'keys')
    const words = ['-u', `${fixtures}pykeys.py`, folder, password]
    ids = JSON.parse(execFileSync(pythonPath(), words, { encoding: 'utf8' })) as typeof ids
  })
  afterAll(async () => await rm(join(folder, '..'), { recursive: true }))

  /** Where somebody finds what it signs with. */
  const keysOf = (name: string) => ({
    key: join(folder, `${name}.key`),
    cert: join(folder, `${name}.pem`),
    store: join(folder, 'store'),
  })

  /** The next message of a queue, taken away. */
  async function take(queue: string): Promise<Message> {
    await using connection = new Connection(urlOf('redis'), { ambient: { log: silentLogger } })
    return await connection.withChannel(
      async (channel) =>
        (await until('it is sent', () => channel.get(queue, { noAck: true }))).message,
    )
  }

  async function put(queue: string, message: Message): Promise<void> {
    await using connection = new Connection(urlOf('redis'), { ambient: { log: silentLogger } })
    await connection.producer().publishMessage({ exchange: '', routingKey: queue, message })
  }

  /** One letter of the arguments is another, and the text is base64 as before. */
  function tampered(message: Message, id: string): Message {
    const inside = Buffer.from(Buffer.from(message.body).toString(), 'base64')
    const at = inside.lastIndexOf('[[2')
    expect(at).toBeGreaterThan(0)
    inside[at + 2] = 0x39
    const body = Buffer.from(inside.toString('base64'))
    return { ...message, body, headers: { ...message.headers, id } }
  }

  describe.each([
    ['json', 'sha256', 'json'],
    ['msgpack', 'sha512', 'auth'],
  ])('%s inside, %s, results in %s', (serializer, digest, resultSerializer) => {
    const toPython = uniqueName('signed-py')
    const toUs = uniqueName('signed-js')
    const hold = uniqueName('signed-hold')
    const more = { serializer, digest }
    let app: Celeriac
    let theirs: PythonWorker
    let ours: OurWorker
    let python: PythonClient

    beforeAll(async () => {
      const url = urlOf('redis')
      const common = { broker: url, backend: url }
      // Python reads results as it reads tasks, unless told otherwise.
      const results = {
        result_serializer: resultSerializer,
        result_accept_content: [resultSerializer],
      }
      const forPython = {
        ...common,
        settings: { ...ofPython, ...results },
        security: { ...keysOf('python'), ...more },
      }
      const settings = { ...ofOurs, resultSerializer }
      app = quietApp({ ...common, ...settings, taskDefaultQueue: toPython }).setupSecurity({
        ...keysOf('ours'),
        key: join(folder, 'ours.locked.key'),
        keyPassword: password,
        ...more,
      })
      ;[theirs, ours, python] = await Promise.all([
        PythonWorker.start({ ...forPython, queue: toPython }),
        OurWorker.start({
          ...common,
          queue: toUs,
          settings,
          security: { ...keysOf('ours'), ...more },
        }),
        PythonClient.start({ ...forPython, queue: toUs }),
      ])
    })

    afterAll(async () => {
      await Promise.all([theirs?.stop(), ours?.stop(), python?.kill9()])
      await app?.close()
      await removeQueues(urlOf('redis'), [toPython, toUs, hold])
    })

    const add = () => app.remote<(x: number, y: number) => number>('py.add')

    it('Python runs what we sign', async () => {
      expect(await (await add().delay(2, 3)).get(soon)).toBe(5)
      expect(await (await chain(add().s(1, 2), add().s(10)).delay()).get(soon)).toBe(13)
      const total = app.remote<(values: readonly number[]) => number>('py.total')
      expect(await (await chord([add().s(1, 1), add().s(2, 2)], total.s()).delay()).get(soon)).toBe(
        6,
      )
    })

    it('we run what Python signs', async () => {
      const js = (...args: number[]) => ({ task: 'js.add', args })

      expect(await python.run(js(2, 3))).toMatchObject({ value: 5, state: 'SUCCESS' })
      expect(await python.run({ chain: [js(1, 2), js(10)] })).toMatchObject({ value: 13 })
      expect(await python.run({ task: 'js.flaky', args: [1] })).toMatchObject({ value: 1 })
    })

    it('each is named as Celery names it', async () => {
      await add().applyAsync([2, 3], { queue: hold })
      const mine = await take(hold)
      await python.send({ task: 'js.add', args: [2, 3] }, {}, hold)
      const others = await take(hold)
      const signer = ({ body, properties }: Message) => {
        expect(properties).toMatchObject({
          contentType: 'application/data',
          contentEncoding: 'utf-8',
        })
        const inside = Buffer.from(Buffer.from(body).toString(), 'base64')
        const first = inside.subarray(0, inside.indexOf('\u0000\u0001')).toString()
        return Buffer.from(first, 'base64').toString()
      }

      expect([signer(mine), signer(others)]).toEqual([ids.ours, ids.python])
    })

    if (serializer === 'json') {
      it('Python refuses what was changed of ours', async () => {
        await add().applyAsync([2, 3], { queue: hold })
        const good = await take(hold)
        const id = randomUUID()
        await put(toPython, tampered(good, id))

        await until('it is refused', () => theirs.hasSaid('Unable to deserialize'), {
          detail: () => theirs.output(),
        })
        await put(toPython, { ...good, headers: { ...good.headers, id: randomUUID() } })
        expect(await (await add().delay(3, 4)).get(soon)).toBe(7)
        expect(await (await app.result(id)).state).not.toBe('SUCCESS')
      })

      it('we refuse what was changed of theirs, and put it aside', async () => {
        await python.send({ task: 'js.add', args: [2, 3] }, {}, hold)
        const good = await take(hold)
        const [id, fine] = [randomUUID(), randomUUID()]
        await put(toUs, tampered(good, id))

        expect(await ours.waitForRow('messageParked')).toMatchObject({ id })
        await put(toUs, { ...good, headers: { ...good.headers, id: fine } })
        expect(await (await app.result(fine)).get(soon)).toBe(5)
        expect(await (await app.result(id)).state).not.toBe('SUCCESS')
      })

      it('neither takes what a stranger signs', async () => {
        const url = urlOf('redis')
        await using stranger = quietApp({
          broker: url,
          backend: url,
          ...ofOurs,
          taskDefaultQueue: toUs,
        }).setupSecurity({ ...keysOf('stranger'), ...more })
        const parked = ours.rows('messageParked').length

        const here = await stranger.sendTask('js.add', [1, 2])
        await stranger.sendTask('py.add', [1, 2], { queue: toPython })

        expect(await ours.waitForRow('messageParked', parked + 1)).toMatchObject({ id: here.id })
        await until('it is refused', () => theirs.hasSaid('Unknown certificate'), {
          detail: () => theirs.output(),
        })
        expect(await (await add().delay(3, 4)).get(soon)).toBe(7)
      })
    }
  })
})
