// What a worker says of itself.
import { expect, it } from '@jest/globals'
import { banner, queueRows } from '../../src/format/banner.ts'
import { colours } from '../../src/format/colour.ts'

const facts = {
  hostname: 'celery@host',
  version: '1.2.3',
  app: 'proj',
  module: './tasks.ts',
  transport: 'redis://:**@localhost',
  results: 'disabled',
  concurrency: 4,
  pool: 'processes',
  beat: false,
  queues: [
    {
      name: 'celery',
      bindings: [{ exchange: { name: 'celery', type: 'direct' }, routingKey: 'celery' }],
    },
    {
      name: 'video',
      bindings: [{ exchange: { name: 'media', type: 'topic' }, routingKey: 'video.#' }],
    },
  ],
  tasks: ['proj.add'],
}

it('names app, broker, results, pool, queues and tasks', () => {
  expect(banner(facts, colours(false))).toBe(`
  celery@host celeriac 1.2.3

  app:          proj (./tasks.ts)
  transport:    redis://:**@localhost
  results:      disabled
  concurrency:  4 (processes)
  task events:  OFF

[queues]
  celery  exchange=celery (direct)  key=celery
  video   exchange=media (topic)    key=video.#

[tasks]
  . proj.add

`)
})

it('says that there are no tasks, and that beat runs here', () => {
  const text = banner({ ...facts, tasks: [], beat: true }, colours(false))

  expect(text).toMatch(/\(none\)/)
  expect(text).toMatch(/beat: +in this process/)
})

it('is coloured where colours are wanted', () => {
  expect(banner(facts, colours(true))).toContain('\u001b[32mcelery@host\u001b[39m')
})

it('has a row for each binding of a queue', () => {
  const one = { exchange: { name: 'a', type: 'topic' }, routingKey: 'x.*' }
  const two = { exchange: { name: '', type: 'direct' }, routingKey: 'q' }

  expect(queueRows({ name: 'q', bindings: [one, two] })).toEqual([
    ['q', 'exchange=a (topic)', 'key=x.*'],
    ['', 'exchange=(default) (direct)', 'key=q'],
  ])
  expect(queueRows({ name: 'q', bindings: [] })).toEqual([['q', 'exchange=(default)', 'key=q']])
})
