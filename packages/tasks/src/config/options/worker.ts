/** Settings of workers: how much at once, limits of their children, logging, shutting down. */
import {
  anyText,
  custom,
  either,
  flag,
  number,
  option,
  optional,
  refuse,
  seconds,
  text,
  whole,
} from '../option.ts'

const poolAliases: Readonly<Record<string, string>> = {
  prefork: 'processes',
  eventlet: 'async',
  gevent: 'async',
}

/** Name of a pool; Celery's names mean ours: prefork is processes, gevent and eventlet are async. */
const pool = {
  ...custom<string>('the name of a pool', (raw) =>
    typeof raw === 'string' && raw !== ''
      ? (poolAliases[raw] ?? raw)
      : refuse('the name of a pool'),
  ),
  fromText: (given: string): unknown => given,
}

export const workerOptions = {
  workerConcurrency: option(
    optional(whole(1)),
    undefined,
    'Tasks at once; none lets the pool choose (processors, or many more for async).',
  ),
  workerPool: option(
    pool,
    'processes',
    'Where tasks run: processes (prefork), async (many promises in one process) or solo.',
  ),
  workerPrefetchMultiplier: option(
    whole(0),
    4,
    'Messages reserved for each slot of the pool; 0 means no limit.',
  ),
  workerDisablePrefetch: option(flag, true, 'Reserve only what a free slot can take at once.', {
    celery: false,
  }),
  workerEnablePrefetchCountReduction: option(
    flag,
    true,
    'After a lost connection, fetch less until what was running has ended.',
    { planned: true },
  ),
  workerEtaTaskLimit: option(
    optional(whole(1)),
    undefined,
    'Most tasks held for a later time at once.',
    { planned: true },
  ),
  workerMaxTasksPerChild: option(
    optional(whole(1)),
    undefined,
    'Tasks after which a child process is replaced.',
  ),
  workerMaxMemoryPerChild: option(
    optional(whole(1)),
    undefined,
    'Resident KiB above which a child process is replaced after its task.',
  ),
  workerProcAliveTimeout: option(seconds, 30, 'Seconds a child process may take to get ready.', {
    celery: 4,
  }),
  workerLostWait: option(seconds, 10, 'Seconds to wait for the result of a child that died.', {
    oldName: 'CELERYD_WORKER_LOST_WAIT',
    planned: true,
  }),
  workerPoolRestarts: option(flag, false, 'Allow `pool_restart` by remote control.', {
    planned: true,
  }),
  workerPoolPutlocks: option(flag, true, 'Accepted for its name.'),
  workerDirect: option(flag, false, 'Every worker also has a queue of its own.', {
    oldName: 'CELERY_WORKER_DIRECT',
  }),
  workerDisableRateLimits: option(flag, false, 'Ignore the rate limits of tasks.', {
    oldName: 'CELERY_DISABLE_RATE_LIMITS',
    planned: true,
  }),
  workerDeduplicateSuccessfulTasks: option(
    flag,
    true,
    'A redelivered task that has already succeeded is not run again.',
    { celery: false, planned: true },
  ),
  workerEnableRemoteControl: option(flag, true, 'Answer remote control.', {
    oldName: 'CELERY_ENABLE_REMOTE_CONTROL',
    planned: true,
  }),
  workerSendTaskEvents: option(flag, false, 'Send an event for every step of a task.', {
    oldName: 'CELERY_SEND_EVENTS',
    planned: true,
  }),
  workerStateDb: option(
    optional(text),
    undefined,
    'File that keeps revoked ids and the clock between runs.',
    { planned: true },
  ),
  workerCancelLongRunningTasksOnConnectionLoss: option(
    flag,
    false,
    'Stop late-acknowledged tasks when the broker is lost.',
    { planned: true },
  ),
  workerShutdownGrace: option(
    seconds,
    25,
    'Seconds running tasks may take to end after SIGTERM before they are handed back. 0 waits for ever.',
    { celery: 0 },
  ),
  workerSoftShutdownTimeout: option(
    seconds,
    0,
    'Seconds running tasks may take to end on a cold shutdown.',
    { planned: true },
  ),
  workerEnableSoftShutdownOnIdle: option(flag, false, 'Wait that long even when nothing runs.', {
    planned: true,
  }),
  workerDetectQuorumQueues: option(flag, true, 'Look for quorum queues and adapt to them.', {
    planned: true,
  }),
  workerHijackRootLogger: option(flag, true, 'Accepted for its name.'),
  workerRedirectStdouts: option(flag, true, 'What tasks print goes to the log.', {
    oldName: 'CELERY_REDIRECT_STDOUTS',
    planned: true,
  }),
  workerRedirectStdoutsLevel: option(text, 'WARNING', 'Level of what tasks print.', {
    oldName: 'CELERY_REDIRECT_STDOUTS_LEVEL',
    planned: true,
  }),
  workerLogFormat: option(
    anyText,
    '[%(asctime)s: %(levelname)s/%(processName)s] %(message)s',
    'Format of the log.',
  ),
  workerTaskLogFormat: option(
    anyText,
    '[%(asctime)s: %(levelname)s/%(processName)s] %(task_name)s[%(task_id)s]: %(message)s',
    'Format of log lines written by tasks.',
  ),
  workerLogColor: option(optional(flag), undefined, 'Colours; none when it is a terminal.'),
  workerLogfile: option(optional(text), undefined, 'File of the log.'),
  workerPidfile: option(optional(text), undefined, 'File that holds the process id.'),
  workerUid: option(optional(either(whole(0), text)), undefined, 'User to run as.', {
    planned: true,
  }),
  workerGid: option(optional(either(whole(0), text)), undefined, 'Group to run as.', {
    planned: true,
  }),
  workerUmask: option(optional(either(whole(0), text)), undefined, 'File mode mask.', {
    planned: true,
  }),
  workerExecutable: option(optional(text), undefined, 'Interpreter to run.', { planned: true }),
  workerAutoscaler: option(text, 'celery.worker.autoscale:Autoscaler', 'Class.', { planned: true }),
  workerConsumer: option(text, 'celery.worker.consumer:Consumer', 'Class.', { planned: true }),
  workerAgent: option(optional(text), undefined, 'Class.', { planned: true }),
  workerTimer: option(optional(text), undefined, 'Class.', { planned: true }),
  workerTimerPrecision: option(number(0), 1, 'Seconds.', { planned: true }),
} as const
