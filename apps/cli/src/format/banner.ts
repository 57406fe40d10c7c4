/** What a worker says of itself before it starts. Pure; passwords are masked by whoever calls. */
import type { Colours } from './colour.ts'
import { columns } from './table.ts'

export interface BannerFacts {
  readonly hostname: string
  readonly version: string
  readonly app: string
  readonly module: string | undefined
  readonly transport: string
  readonly results: string
  readonly concurrency: number
  readonly pool: string
  readonly beat: boolean
  readonly queues: readonly QueueFacts[]
  readonly tasks: readonly string[]
}

export interface QueueFacts {
  readonly name: string
  readonly bindings: readonly {
    readonly exchange: { readonly name: string; readonly type: string }
    readonly routingKey: string
  }[]
}

export function banner(facts: BannerFacts, colours: Colours): string {
  const rows = [
    ['app', facts.module === undefined ? facts.app : `${facts.app} (${facts.module})`],
    ['transport', facts.transport],
    ['results', facts.results],
    ['concurrency', `${facts.concurrency} (${facts.pool})`],
    ['task events', 'OFF'],
    ...(facts.beat ? [['beat', 'in this process']] : []),
  ]
  const tasks = facts.tasks.length > 0 ? facts.tasks : ['(none)']
  return [
    '',
    `  ${colours.bold(colours.green(facts.hostname))} celeriac ${facts.version}`,
    '',
    ...indent(columns(rows.map(([name, value]) => [`${name}:`, value!]))),
    '',
    colours.bold('[queues]'),
    ...indent(columns(facts.queues.flatMap(queueRows))),
    '',
    colours.bold('[tasks]'),
    ...tasks.map((name) => `  . ${name}`),
    '',
    '',
  ].join('\n')
}

/** A row for each binding; the name stands in the first. */
export function queueRows({ name, bindings }: QueueFacts): string[][] {
  if (bindings.length === 0) return [[name, 'exchange=(default)', `key=${name}`]]
  return bindings.map(({ exchange, routingKey }, index) => [
    index === 0 ? name : '',
    `exchange=${exchange.name === '' ? '(default)' : exchange.name} (${exchange.type})`,
    `key=${routingKey}`,
  ])
}

function indent(text: string): string[] {
  return text.split('\n').map((line) => `  ${line}`)
}
