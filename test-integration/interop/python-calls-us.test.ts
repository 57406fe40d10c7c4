// A Python Celery client and our worker: what Python sends is run, and what Python reads is what it would
// have got from a Python worker. On both brokers, results on Redis.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { removeQueues } from '../fixtures/clients.ts'
import { OurWorker } from '../fixtures/our-worker.ts'
import { PythonClient, type PyOutcome } from '../fixtures/python.ts'
import { until } from '../fixtures/waiting.ts'
import { describeWith, uniqueName, urlOf } from '../services/brokers.ts'

const js = (task: string, ...args: unknown[]) => ({ task: `js.${task}`, args })

for (const broker of ['redis', 'rabbitmq'] as const) {
  describeWith([broker, 'redis', 'python'], `Python calls our worker through ${broker}`, () => {
    let queue: string
    let worker: OurWorker
    let python: PythonClient

    beforeAll(async () => {
      queue = uniqueName('py-js')
      const common = { broker: urlOf(broker), backend: urlOf('redis'), queue }
      ;[worker, python] = await Promise.all([
        OurWorker.start({ ...common, settings: { resultExtended: true } }),
        PythonClient.start(common),
      ])
    })

    afterAll(async () => {
      await Promise.all([worker?.stop(), python?.kill9()])
      await removeQueues(urlOf(broker), [queue])
    })

    it('runs a call with positional arguments', async () => {
      const outcome = await python.run(js('add', 2, 3))

      expect(outcome).toMatchObject({ value: 5, state: 'SUCCESS', traceback: null })
    })

    it('gives keyword arguments to the parameters of their names, and the rest as one object', async () => {
      const task = 'js.named'

      const byName = await python.run({ task, kwargs: { b: 2, a: 1 } })
      const mixed = await python.run({ task, args: [1], kwargs: { b: 2, debug: true, level: 3 } })

      expect(byName.value).toEqual({ a: 1, b: 2, rest: null })
      expect(mixed.value).toEqual({ a: 1, b: 2, rest: { debug: true, level: 3 } })
    })

    it('refuses an argument that is given twice, as Python does', async () => {
      const outcome = await python.run({ task: 'js.named', args: [1], kwargs: { a: 1 } })

      expect(outcome.state).toBe('FAILURE')
      expect(outcome.error?.text).toContain("'a'")
    })

    it('returns every kind of value as it came', async () => {
      const answers = await python.call<Record<string, string>>('echoes', {
        task: 'js.echo',
        queue,
      })

      const expected = Object.fromEntries(Object.keys(answers).map((name) => [name, 'same']))
      // The one thing numbers here cannot tell apart.
      expected['whole float'] = '3.0 came back as 3'
      expect(answers).toEqual(expected)
      expect(Object.keys(answers).length).toBeGreaterThan(20)
    })

    it('returns None for a function that returns nothing', async () => {
      expect(await python.run(js('nothing'))).toMatchObject({ value: null, state: 'SUCCESS' })
    })

    it.each([
      ['RangeError', 'ValueError'],
      ['TypeError', 'TypeError'],
    ])('raises a thrown %s as the %s of Python', async (thrown, raised) => {
      const outcome = await python.run(js('fail', thrown, 'no good: 7'))

      expect(outcome).toMatchObject({
        state: 'FAILURE',
        error: { type: raised, module: 'builtins', args: ['no good: 7'], text: 'no good: 7' },
      })
      expect(outcome.traceback).toContain('celeriac-app.mjs')
      expect(outcome.traceback?.trimEnd()).toMatch(new RegExp(`${raised}: no good: 7$`))
    })

    it('raises an error class of our own under its name', async () => {
      const outcome = await python.run(js('fail', 'PaymentDeclined', 'card expired'))

      expect(outcome.error).toMatchObject({ type: 'PaymentDeclined', args: ['card expired'] })
      expect(outcome.error?.bases).toContain('Exception')
    })

    it('runs a task again when it asks for it, and tells how often', async () => {
      expect(await python.run(js('flaky', 2))).toMatchObject({ value: 2, state: 'SUCCESS' })
    })

    it('fails with the cause when no retries are left', async () => {
      const outcome = await python.run(js('stubborn'))

      expect(outcome).toMatchObject({
        state: 'FAILURE',
        error: { type: 'ValueError', text: 'never' },
      })
    })

    it('waits for a countdown', async () => {
      const before = Date.now() / 1000

      const outcome = await python.run(js('clock'), { countdown: 1 })

      expect(Number(outcome.value) - before).toBeGreaterThan(0.95)
      expect(Number(outcome.value) - before).toBeLessThan(2.5)
    })

    it('waits for an eta', async () => {
      const outcome = await python.call<PyOutcome & { eta: number }>('eta', {
        task: 'js.clock',
        queue,
        seconds: 1,
      })

      expect(Number(outcome.value) - outcome.eta).toBeGreaterThan(-0.05)
      expect(Number(outcome.value) - outcome.eta).toBeLessThan(1.5)
    })

    it('does not run what has expired, which Python sees as TaskRevokedError', async () => {
      const outcome = await python.run(js('clock'), { countdown: 1.5, expires: 0.5 })

      expect(outcome).toMatchObject({
        state: 'REVOKED',
        error: { type: 'TaskRevokedError', module: 'celery.exceptions', args: ['expired'] },
      })
    })

    it('stores nothing when the caller ignores the result', async () => {
      const id = await python.send(js('add', 1, 1), { ignore_result: true })
      await python.run(js('add', 1, 1))
      await python.run(js('add', 1, 1))

      expect(await python.call('look', { id })).toMatchObject({ state: 'PENDING', ready: false })
    })

    it('answers NotRegistered for a task nobody knows, and keeps the message', async () => {
      const outcome = await python.run(js('no_such_task'))

      expect(outcome.error).toMatchObject({
        type: 'NotRegistered',
        module: 'celery.exceptions',
        args: ['js.no_such_task'],
      })
      const parked = await until('it is parked', () =>
        worker.rows('messageParked').find(({ id }) => id === outcome.id),
      )
      expect(parked).toMatchObject({ parkedIn: 'celeriac.parked', task: 'js.no_such_task' })
    })

    it('runs a chain', async () => {
      const outcome = await python.run({ chain: [js('add', 1, 2), js('add', 10), js('add', 100)] })

      expect(outcome.value).toBe(113)
    })

    it('ends a chain with the error of the step that failed', async () => {
      const chain = [
        js('add', 1, 2),
        { ...js('fail', 'RangeError', 'x'), immutable: true },
        js('add', 1),
      ]

      expect((await python.run({ chain })).error).toMatchObject({ type: 'ValueError', text: 'x' })
    })

    it('runs a group', async () => {
      const outcome = await python.run({ group: [1, 2, 3, 4].map((i) => js('add', i, i)) })

      expect(outcome.value).toEqual([2, 4, 6, 8])
    })

    it('runs a chord, its results in the order of the header', async () => {
      const outcome = await python.run({
        chord: [js('wait', 200), js('wait', 20), js('wait', 100)],
        body: js('list'),
      })

      expect(outcome.value).toEqual([200, 20, 100])
    })

    it('fails a chord with ChordError when a member fails', async () => {
      const outcome = await python.run({
        chord: [js('add', 1, 1), js('fail', 'RangeError', 'member'), js('add', 3, 3)],
        body: js('total'),
      })

      // `get` on what the call returned raises the member's error first, as with a Python worker.
      expect(outcome.error).toMatchObject({ type: 'ValueError', text: 'member' })
      const { error } = await python.call<PyOutcome>('get', { id: outcome.id })
      expect(error).toMatchObject({ type: 'ChordError', module: 'celery.exceptions' })
      expect(error?.text).toMatch(/Dependency .* raised ValueError\('member'\)/)
    })

    it('runs a chain into a group into a chord', async () => {
      const outcome = await python.run({
        chain: [
          js('add', 1, 2),
          { group: [js('add', 10), js('add', 20), js('add', 30)] },
          js('total'),
          { group: [js('add', 1), js('add', 2)] },
          js('total'),
        ],
      })

      // 3 → 13, 23, 33 → 69 → 70, 71 → 141
      expect(outcome.value).toBe(141)
    })

    it('runs a chord of chords', async () => {
      const inner = (x: number) => ({
        chord: [js('add', x, 1), js('add', x, 2)],
        body: js('total'),
      })

      const outcome = await python.run({ chord: [inner(10), inner(20)], body: js('total') })

      expect(outcome.value).toBe(66)
    })

    it('calls back what was linked, with the result', async () => {
      const [first, second] = [randomUUID(), randomUUID()]
      const link = [
        { ...js('add', 100), options: { task_id: first } },
        { ...js('add', 200), options: { task_id: second } },
      ]

      await python.run({ ...js('add', 1, 2), link })

      expect(await python.call('get', { id: first })).toMatchObject({ value: 103 })
      expect(await python.call('get', { id: second })).toMatchObject({ value: 203 })
    })

    it('calls the error callback with the id of what failed', async () => {
      const id = randomUUID()
      const link_error = [{ ...js('id'), options: { task_id: id } }]

      const outcome = await python.run({ ...js('fail', 'RangeError', 'x'), link_error })

      expect(await python.call('get', { id })).toMatchObject({ value: outcome.id })
    })

    it('reads a compressed message', async () => {
      const text = 'compress me '.repeat(500)

      const outcome = await python.run(js('echo', text), { compression: 'gzip' })

      expect(outcome).toMatchObject({ value: text })
    })

    it('gives the headers it does not know to the task, and only those', async () => {
      const outcome = await python.run(js('headers'), {
        headers: { 'x-tenant': 'acme', 'x-number': 7, 'x-nested': { a: [1, null] } },
      })

      expect(outcome.value).toEqual({
        'x-tenant': 'acme',
        'x-number': 7,
        'x-nested': { a: [1, null] },
      })
    })

    it('reads messages of protocol 1', async () => {
      const call = { task: 'js.named', args: [1], kwargs: { b: 2, more: 'x' }, queue }

      const outcome = await python.call<PyOutcome>('protocol1', call)

      expect(outcome.value).toEqual({ a: 1, b: 2, rest: { more: 'x' } })
    })

    it('shows Python state, progress, children and the extended fields of a result', async () => {
      const running = await python.send(js('progress', 1000))
      const seen = await until('progress', async () => {
        const look = await python.call<{ state: string; info: unknown }>('look', { id: running })
        return look.state === 'PROGRESS' && look
      })
      const { id, value: child } = await python.run(js('parent', 4))
      const look = await python.call('look', { id })

      expect(seen.info).toEqual({ done: 3, of: 10 })
      expect(look).toMatchObject({
        state: 'SUCCESS',
        ready: true,
        successful: true,
        failed: false,
        info: child,
        children: [child],
        name: 'js.parent',
        args: [4],
        kwargs: {},
        retries: 0,
        queue,
      })
      expect(await python.call('get', { id: child })).toMatchObject({ value: 5 })
    })

    it('saves and restores a group, and forgets a result', async () => {
      const group = { group: [js('add', 1, 1), js('add', 2, 2)] }
      const id = await python.call<string>('group_saved', { signature: group, queue })

      const restored = await python.call<{ ids: string[] }>('group_restored', { id })

      expect(restored).toMatchObject({ values: [2, 4], completed: 2 })
      expect(await python.call('forget', { id: restored.ids[0] })).toBe('PENDING')
    })

    it('keeps root, parent and group of a workflow, as Python would', async () => {
      const { value } = await python.run({
        chain: [js('about'), { ...js('about'), immutable: true }],
      })
      const { value: members } = await python.run({ group: [js('about'), js('about')] })

      const last = value as Record<string, string>
      expect(last['parentId']).toBe(last['rootId'])
      const groups = (members as Record<string, string>[]).map(({ groupId }) => groupId)
      expect(groups[0]).toBeTruthy()
      expect(groups[0]).toBe(groups[1])
    })
  })

  describeWith([broker, 'redis', 'python'], `our process pool through ${broker}`, () => {
    it('runs what Python sends in child processes', async () => {
      const queue = uniqueName('py-js-processes')
      const common = { broker: urlOf(broker), backend: urlOf('redis'), queue }
      const [worker, python] = await Promise.all([
        OurWorker.start({ ...common, pool: 'processes', concurrency: 2 }),
        PythonClient.start(common),
      ])

      try {
        const about = await python.run(js('about'))
        expect(worker.rows('ready')[0]!['children']).toContain((about.value as { pid: number }).pid)
        expect(await python.run(js('flaky', 1))).toMatchObject({ value: 1 })
        expect(await python.run(js('fail', 'RangeError', 'x'))).toMatchObject({
          error: { type: 'ValueError' },
        })
        const chord = [1, 2, 3].map((i) => js('add', i, i))
        expect(await python.run({ chord, body: js('total') })).toMatchObject({ value: 12 })
        expect(await python.run(js('parent', 4))).toMatchObject({ state: 'SUCCESS' })
      } finally {
        await Promise.all([worker.stop(), python.kill9()])
        await removeQueues(urlOf(broker), [queue])
      }
    })
  })
}

describeWith(['redis', 'python'], 'priorities of Python through Redis', () => {
  it('are served lowest first, as a Python worker does', async () => {
    const queue = uniqueName('py-priority')
    const common = { broker: urlOf('redis'), backend: urlOf('redis'), queue }
    const python = await PythonClient.start(common)
    const ids: string[] = []
    for (const priority of [9, 6, 0, 3]) ids.push(await python.send(js('sequence'), { priority }))

    const worker = await OurWorker.start({ ...common, concurrency: 1 })

    try {
      const order = await python.call('get_many', { ids })
      expect(order).toEqual([4, 3, 1, 2])
    } finally {
      await Promise.all([worker.stop(), python.kill9()])
      await removeQueues(urlOf('redis'), [queue])
    }
  })
})

describe('the fixtures', () => {
  it('name the same tasks in both languages', async () => {
    const { readFile } = await import('node:fs/promises')
    const names = async (file: string, pattern: RegExp) =>
      [
        ...(await readFile(new URL(`../fixtures/${file}`, import.meta.url), 'utf8')).matchAll(
          pattern,
        ),
      ]
        .map(([, name]) => name!)
        .filter((name) => !['stubborn', 'mark'].includes(name))
        .toSorted()

    expect(await names('celeriac-app.mjs', /task\('js\.(\w+)'/g)).toEqual(
      await names('pyproj.py', /name="py\.(\w+)"/g),
    )
  })
})
