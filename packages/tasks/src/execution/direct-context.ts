/** What `this` is when a task is called as a plain function, outside of any run. */
import { silentLogger, type Logger } from '@celeriac/messaging'
import { dataOf } from '../canvas/index.ts'
import { Replaced, Retry, TasksError } from '../kernel/errors.ts'
import { currentExecution, type TaskContext } from './context.ts'

const nothing = Object.freeze({})

/** The run around it, or a stand-in in which there is nothing to retry, replace or tell. */
export function directContext(task: string, log: () => Logger | undefined): TaskContext {
  const execution = currentExecution()
  if (execution) return execution.context
  const outside = (what: string): Promise<never> =>
    Promise.reject(
      new TasksError('TASKS_NOT_SUPPORTED', `${task} was called directly: it cannot ${what}`),
    )
  return {
    request: {
      id: '',
      task,
      args: [],
      kwargs: nothing,
      retries: 0,
      deliveries: 0,
      hostname: '',
      rootId: '',
      parentId: undefined,
      groupId: undefined,
      groupIndex: undefined,
      correlationId: undefined,
      replyTo: undefined,
      origin: undefined,
      etaMs: undefined,
      expiresMs: undefined,
      timeLimit: [undefined, undefined],
      headers: nothing,
      stampedHeaders: undefined,
      stamps: nothing,
      lang: undefined,
      shadow: undefined,
      argsRepr: '',
      kwargsRepr: '',
      ignoreResult: false,
      replacedTaskNesting: 0,
      callbacks: null,
      errbacks: null,
      chain: null,
      chord: null,
      priority: undefined,
      properties: nothing,
      deliveryInfo: { exchange: '', routingKey: '', queue: '', redelivered: false, attempts: 0 },
      isEager: false,
      calledDirectly: true,
    },
    signal: new AbortController().signal,
    get log() {
      return log() ?? silentLogger
    },
    children: [],
    // Celery: without a message to send again, what went wrong is thrown.
    retry: (options) => (options?.cause instanceof Error ? options.cause : new Retry()),
    replace: (signature) => new Replaced(dataOf(signature)),
    isAborted: async () => false,
    updateState: async () => undefined,
    addToChord: () => outside('add to a chord'),
    sendEvent: () => outside('send events about itself'),
  }
}
