import { describe, expect, it } from '@jest/globals'
import { exchange, queue } from '@celeriac/messaging'
import { options, type Settings } from '../../src/config/options.ts'
import { resolve } from '../../src/config/resolve.ts'
import { isBroadcast } from '../../src/routing/broadcast.ts'
import { directQueue, Queues } from '../../src/routing/queues.ts'

function setup(settings: Settings = {}): Queues {
  let ids = 0
  return new Queues(resolve([{ from: 'test', settings }]).config, () => `id-${++ids}`)
}

describe('the queues of an app', () => {
  it('is the default queue, declared as Celery declares it', () => {
    const queues = setup()

    expect(queues.all).toEqual([
      queue('celery', { bindings: [{ exchange: exchange('celery'), routingKey: 'celery' }] }),
    ])
    expect(queues.defaultQueue).toBe(queues.all[0])
  })

  it('follows the settings of the default queue', () => {
    const { defaultQueue } = setup({
      taskDefaultQueue: 'q',
      taskDefaultExchange: 'x',
      taskDefaultExchangeType: 'topic',
      taskDefaultRoutingKey: 'k',
      taskDefaultQueueType: 'quorum',
      taskQueueMaxPriority: 5,
    })

    expect(defaultQueue).toEqual(
      queue('q', {
        arguments: { 'x-queue-type': 'quorum', 'x-max-priority': 5 },
        bindings: [{ exchange: exchange('x', { type: 'topic' }), routingKey: 'k' }],
      }),
    )
  })

  it('creates missing queues with an exchange and a key of their own name', () => {
    const queues = setup()

    const made = queues.get('brand-new')

    expect(made).toEqual(queue('brand-new', { bindings: [{ exchange: 'brand-new' }] }))
    expect(queues.get('brand-new')).toBe(made)
  })

  it('creates them as the settings say', () => {
    const made = setup({
      taskCreateMissingQueueType: 'quorum',
      taskCreateMissingQueueExchangeType: 'topic',
    }).get('n')

    expect(made.arguments).toEqual({ 'x-queue-type': 'quorum' })
    expect(made.bindings[0]?.exchange.type).toBe('topic')
  })

  it('refuses missing queues where they are not created', () => {
    const queues = setup({ taskCreateMissingQueues: false })

    expect(() => queues.get('celry')).toThrow(
      expect.objectContaining({
        code: 'TASKS_QUEUE_NOT_FOUND',
        message: expect.stringContaining("Did you mean 'celery'?"),
      }),
    )
  })

  it('reads descriptions, in Python words too', () => {
    const queues = setup({
      taskQueues: {
        video: { exchange: 'media', exchangeType: 'topic', routingKey: 'video.#' },
        ttl: { message_ttl: 1.5, expires: 60, max_length: 10, maxPriority: 3 } as object,
        bare: {},
        old: { exchange: 'e', binding_key: 'b' } as object,
      },
    })

    expect(queues.all).toEqual([
      queue('video', {
        bindings: [{ exchange: exchange('media', { type: 'topic' }), routingKey: 'video.#' }],
      }),
      queue('ttl', {
        arguments: { 'x-max-length': 10 },
        messageTtlMs: 1500,
        expiresMs: 60_000,
        maxPriority: 3,
        bindings: [{ exchange: 'celery', routingKey: 'ttl' }],
      }),
      queue('bare', { bindings: [{ exchange: 'celery', routingKey: 'bare' }] }),
      queue('old', { bindings: [{ exchange: 'e', routingKey: 'b' }] }),
    ])
  })

  it('takes declarations as they are, but binds those without a binding', () => {
    const ready = queue('a', { bindings: [{ exchange: 'x', routingKey: 'k' }] })

    const queues = setup({ taskQueues: [ready, queue('b'), 'c'], taskDefaultRoutingKey: 'key' })

    expect(queues.all).toEqual([
      ready,
      queue('b', { bindings: [{ exchange: 'celery', routingKey: 'key' }] }),
      queue('c', { bindings: [{ exchange: 'c' }] }),
    ])
  })

  it('keeps a priority that a queue names itself', () => {
    const queues = setup({
      taskQueues: [queue('a', { maxPriority: 2 }), 'b'],
      taskQueueMaxPriority: 9,
    })

    expect(queues.all.map((one) => one.arguments['x-max-priority'])).toEqual([2, 9])
  })

  it('has broadcast queues under their alias', () => {
    const queues = setup({ taskQueues: [{ name: 'news', broadcast: true }, 'celery'] })
    const news = queues.get('news')

    expect(isBroadcast(news)).toBe(true)
    expect(news).toMatchObject({
      name: 'bcast.id-1',
      autoDelete: true,
      durable: true,
      bindings: [{ exchange: exchange('news', { type: 'fanout' }), routingKey: 'celery' }],
    })
  })
})

describe('what a worker consumes', () => {
  const names = (queues: Queues): string[] => queues.consumed.map((one) => one.name)

  it('is every known queue', () => {
    expect(names(setup({ taskQueues: ['a', 'b'] }))).toEqual(['a', 'b'])
  })

  it('is what was selected, missing ones created', () => {
    const queues = setup({ taskQueues: ['a', 'b'] })

    queues.select(['b', 'new'])
    queues.get('later')

    expect(names(queues)).toEqual(['b', 'new'])
  })

  it('is all but what was deselected', () => {
    const queues = setup({ taskQueues: ['a', 'b', 'c'] })

    queues.deselect(['b', 'unknown'])

    expect(names(queues)).toEqual(['a', 'c'])
  })

  it('is everything when nothing is selected', () => {
    const queues = setup({ taskQueues: ['a'] })

    queues.select([])

    expect(names(queues)).toEqual(['a'])
  })

  it('can have one more', () => {
    const queues = setup({ taskQueues: ['a', 'b'] })
    queues.select(['a'])

    queues.selectAlso(directQueue('w2@worker.example'))

    expect(names(queues)).toEqual(['a', 'w2@worker.example.dq2'])
    expect(queues.consumed[1]?.bindings[0]).toMatchObject({
      exchange: { name: 'C.dq2' },
      routingKey: 'w2@worker.example',
    })
  })
})

describe('the settings table', () => {
  it('accepts broadcast declarations', () => {
    const queues = setup({ taskQueues: [{ name: 'news', broadcast: true }] })

    expect(() => options.taskQueues.parser.parse(queues.all)).not.toThrow()
  })
})
