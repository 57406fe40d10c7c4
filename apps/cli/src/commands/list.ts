/** `celeriac list`: what an app consists of. */
import type { Command as Parser } from 'commander'
import { didYouMean, loadIncluded } from '@celeriac/tasks/internal'
import { TasksError } from '@celeriac/tasks'
import type { Command, Invocation } from '../command.ts'
import { exitCodes, UsageError } from '../errors.ts'
import { queueRows } from '../format/banner.ts'
import { columns } from '../format/table.ts'
import { openApp } from '../load-app.ts'

const kinds = ['tasks', 'queues', 'bindings']

export const list: Command = {
  examples: [
    ['celeriac -A ./tasks.ts list tasks', 'names of the tasks, one on each line'],
    ['celeriac -A ./tasks.ts list queues', 'queues with their exchanges and keys'],
  ],

  define(parser: Parser) {
    parser
      .argument('<what>', 'tasks, queues or bindings')
      .option('--all', 'with tasks: also those that every app has')
  },

  async run({ args: [what], options, globals }: Invocation) {
    if (!kinds.includes(what!)) {
      throw new UsageError(
        `'${what}' cannot be listed.${didYouMean(what!, kinds)} Known: ${kinds.join(', ')}`,
      )
    }
    const { app, services } = await openApp(globals, { needsApp: what === 'tasks' })
    try {
      const { queues, connection } = services
      if (what === 'bindings') {
        throw new TasksError(
          'TASKS_NOT_SUPPORTED',
          `bindings of the broker at ${connection.urls.join(' or ')} cannot be listed; 'list queues' shows those of the app`,
        )
      }
      if (what === 'queues') print(columns(queues.all.flatMap(queueRows)))
      else {
        await loadIncluded(app)
        const all = options['all'] === true
        const { names } = app.registry
        print(names.filter((name) => all || !/^celer(y|iac)\./.test(name)).join('\n'))
      }
      return exitCodes.ok
    } finally {
      await app.close()
    }
  },
}

function print(text: string): void {
  if (text !== '') process.stdout.write(`${text}\n`)
}
