import { describe, expect, it } from '@jest/globals'
import { exchange, queue } from '@celeriac/messaging'
import type { Settings } from '../../src/config/options.ts'
import { resolve } from '../../src/config/resolve.ts'
import type { RoutesSetting } from '../../src/kernel/setting-shapes.ts'
import { Queues } from '../../src/routing/queues.ts'
import { Router, type RoutingOptions } from '../../src/routing/router.ts'
import { globPattern } from '../../src/routing/route-table.ts'

function setup(settings: Settings = {}): { router: Router; queues: Queues } {
  const { config } = resolve([{ from: 'test', settings }])
  const queues = new Queues(config, () => 'id')
  return { queues, router: new Router(queues, config) }
}

const topic: Settings = {
  taskQueues: {
    celery: {},
    video: { exchange: 'media', exchangeType: 'topic', routingKey: 'video.#' },
    news: { broadcast: true },
  },
}

describe('where a task is published', () => {
  it.each<
    [
      string,
      Settings,
      RoutingOptions,
      {
        exchange: string
        routingKey: string
        queue?: string
        priority?: number
        deliveryMode?: 1 | 2
        declares?: boolean
      },
    ]
  >([
    ['default', {}, {}, { exchange: '', routingKey: 'celery', queue: 'celery', priority: 0 }],
    [
      'other default',
      { taskDefaultQueue: 'q' },
      {},
      { exchange: '', routingKey: 'q', queue: 'q', priority: 0 },
    ],
    [
      'topic default',
      { taskDefaultQueue: 'q', taskDefaultExchangeType: 'topic' },
      {},
      { exchange: 'q', routingKey: 'q', queue: 'q', priority: 0 },
    ],
    ['a missing queue', {}, { queue: 'new' }, { exchange: '', routingKey: 'new', queue: 'new' }],
    [
      'a declared queue',
      {},
      { queue: queue('own') },
      { exchange: '', routingKey: 'own', queue: 'own' },
    ],
    [
      'a topic queue',
      topic,
      { queue: 'video' },
      { exchange: 'media', routingKey: 'video.#', queue: 'video' },
    ],
    [
      'a topic queue and a key',
      topic,
      { queue: 'video', routingKey: 'video.x' },
      { exchange: 'media', routingKey: 'video.x', queue: 'video' },
    ],
    [
      'a direct queue and a key',
      {},
      { queue: 'a', routingKey: 'k' },
      { exchange: '', routingKey: 'a', queue: 'a' },
    ],
    [
      'a direct queue, an exchange and a key',
      {},
      { queue: 'a', exchange: 'x', routingKey: 'k' },
      { exchange: 'x', routingKey: 'k', queue: 'a' },
    ],
    [
      'an exchange and a key',
      {},
      { exchange: 'jobs-x', routingKey: 'a.b' },
      { exchange: 'jobs-x', routingKey: 'a.b', priority: 0 },
    ],
    [
      'an exchange alone',
      {},
      { exchange: exchange('f', { type: 'fanout' }) },
      { exchange: 'f', routingKey: 'celery', priority: 0 },
    ],
    [
      'an exchange of another type',
      {},
      { queue: 'a', exchange: 'x', exchangeType: 'topic' },
      { exchange: 'x', routingKey: 'a', queue: 'a' },
    ],
    [
      'a broadcast',
      topic,
      { queue: 'news' },
      { exchange: 'news', routingKey: 'celery', queue: 'bcast.id', declares: false },
    ],
    [
      'a priority',
      {},
      { queue: 'a', priority: 3 },
      { exchange: '', routingKey: 'a', queue: 'a', priority: 3 },
    ],
    [
      'a default priority',
      { taskDefaultPriority: 4 },
      { queue: 'a' },
      { exchange: '', routingKey: 'a', queue: 'a', priority: 4 },
    ],
    [
      'a delivery mode',
      { taskDefaultDeliveryMode: 'transient' },
      {},
      { exchange: '', routingKey: 'celery', queue: 'celery', priority: 0, deliveryMode: 1 },
    ],
    [
      'an own delivery mode',
      {},
      { deliveryMode: 1 },
      { exchange: '', routingKey: 'celery', queue: 'celery', priority: 0, deliveryMode: 1 },
    ],
  ])('%s', (_, settings, options, expected) => {
    const route = setup(settings).router.route('t', options)

    const {
      declares = expected.queue !== undefined,
      queue: name,
      deliveryMode = 2,
      ...rest
    } = expected
    expect(route).toEqual({
      ...rest,
      priority: rest.priority,
      deliveryMode,
      queue: route.queue,
      declare: declares ? route.queue : undefined,
      options: {},
    })
    expect(route.queue?.name).toBe(name)
  })

  it('gives the same answer without thinking twice', () => {
    const { router, queues } = setup()
    const first = router.route('a', { queue: 'q' })
    router.route('settle')

    expect(router.route('b', { queue: 'q' })).toEqual(first)
    queues.add({ name: 'q', exchange: 'x', exchangeType: 'fanout' })
    expect(router.route('b', { queue: 'q' }).exchange).toBe('x')
  })

  it('refuses a queue that may not be created', () => {
    const { router } = setup({ taskCreateMissingQueues: false })

    expect(() => router.route('t', { queue: 'nope' })).toThrow(/no queue 'nope' is defined/)
  })
})

describe('routes', () => {
  const choose = (): RoutesSetting => [
    (task) => (task === 'picked' ? { queue: 'by-function', priority: 8 } : null),
    { exact: 'by-name', 'feed.*': { queue: 'feeds', time_limit: 5 }, '*': 'rest' },
  ]

  it.each<[string, RoutesSetting, string, string]>([
    ['exact name', { a: 'x' }, 'a', 'x'],
    ['no hit', { a: 'x' }, 'b', 'celery'],
    ['glob', { 'feed.*': 'x' }, 'feed.tasks.import', 'x'],
    ['glob needs something', { 'feed.*': 'x' }, 'feed.', 'celery'],
    ['glob is the whole name', { 'feed.*.send': 'x' }, 'feed.a.sender', 'celery'],
    ['exact before glob', { '*': 'x', a: 'y' }, 'a', 'y'],
    ['first glob', { 'a.*': 'x', '*': 'y' }, 'a.b', 'x'],
    ['pattern', [[[/^(video|image)\./, 'media']]], 'image.scale', 'media'],
    ['pattern with memory', [[[/a/g, 'x']]], 'aa', 'x'],
    [
      'list of pairs',
      [
        ['a', 'x'],
        ['b', 'y'],
      ],
      'b',
      'y',
    ],
    ['Map', new Map<string | RegExp, string>([[/b$/, 'y']]), 'ab', 'y'],
    ['function', (task) => task.toUpperCase(), 'a', 'A'],
    ['function without an answer', () => undefined, 'a', 'celery'],
    ['queue as target', { a: queue('own') }, 'a', 'own'],
    ['list, function first', choose(), 'picked', 'by-function'],
    ['list, then table', choose(), 'exact', 'by-name'],
    ['list, glob', choose(), 'feed.x', 'feeds'],
    ['list, rest', choose(), 'other', 'rest'],
  ])('%s', (_, taskRoutes, task, name) => {
    const { router } = setup({ taskRoutes })

    expect(router.route(task).queue?.name).toBe(name)
    expect(router.route(task).queue?.name).toBe(name)
  })

  it('hands the call to functions', () => {
    const seen: unknown[] = []
    const { router } = setup({ taskRoutes: (...call) => void seen.push(call) })

    router.route('t', { priority: 1 }, [1], { k: 2 })

    expect(seen).toEqual([['t', [1], { k: 2 }, { priority: 1 }]])
  })

  it('lets the call win over the route, option by option', () => {
    const { router } = setup({
      ...topic,
      taskRoutes: {
        '*': { queue: 'video', routing_key: 'video.route', priority: 2, serializer: 'yaml' },
      },
    })

    expect(router.route('t', { priority: 9, routingKey: undefined })).toMatchObject({
      exchange: 'media',
      routingKey: 'video.route',
      priority: 9,
      options: { serializer: 'yaml' },
    })
    expect(router.route('t', { queue: 'celery' })).toMatchObject({
      exchange: '',
      routingKey: 'celery',
    })
  })

  it.each<[string, unknown, RegExp]>([
    ['a number', [5], /taskRoutes\[0\] must be a mapping, a list of pairs or a function/],
    ['an empty target', { a: '' }, /taskRoutes \['a'\] must lead to/],
    ['a list as target', [{ a: [] }], /taskRoutes \[0\]\['a'\] must lead to/],
  ])('refuses %s', (_, taskRoutes, message) => {
    expect(() => setup({ taskRoutes: taskRoutes as RoutesSetting })).toThrow(
      expect.objectContaining({
        code: 'TASKS_ROUTE_INVALID',
        message: expect.stringMatching(message),
      }),
    )
  })

  it('refuses what a function answers, naming the task', () => {
    const { router } = setup({ taskRoutes: () => 5 as never })

    expect(() => router.route('t')).toThrow(/for 't' must lead to/)
  })

  it('takes signs of patterns in globs literally', () => {
    expect(globPattern('a.b+*').test('a.b+c')).toBe(true)
    expect(globPattern('a.b+*').test('axb+c')).toBe(false)
  })
})
