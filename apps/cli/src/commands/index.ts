/** The commands by name. A new command is a file beside this one and its line here. */
import type { CommandEntry } from '../command.ts'

export const commands: Readonly<Record<string, CommandEntry>> = {
  worker: { summary: 'run tasks', load: async () => (await import('./worker.ts')).worker },
  beat: {
    summary: 'send periodic tasks when they are due',
    load: async () => (await import('./beat.ts')).beat,
  },
  call: { summary: 'send a task by its name', load: async () => (await import('./call.ts')).call },
  result: {
    summary: 'show the result of a task',
    load: async () => (await import('./result.ts')).result,
  },
  list: {
    summary: 'list the tasks or queues of an app',
    load: async () => (await import('./list.ts')).list,
  },
}

/** Commands of Celery's that are not here yet: named, so that nobody searches for a typing error. */
export const missingCommands: readonly string[] = [
  'amqp',
  'control',
  'events',
  'graph',
  'inspect',
  'logtool',
  'migrate',
  'multi',
  'purge',
  'report',
  'shell',
  'status',
  'upgrade',
]
