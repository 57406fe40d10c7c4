/** Settings of tasks: how they are sent, where to, and what happens when they end. */
import { choice, either, flag, number, option, optional, seconds, text, whole } from '../option.ts'
import {
  annotations,
  deliveryMode,
  publishRetryPolicy,
  queues,
  rate,
  routes,
} from './structures.ts'

export const taskOptions = {
  taskAcksLate: option(
    flag,
    true,
    'Acknowledge when the task has ended, so that a crash loses nothing; otherwise before it starts.',
    { celery: false },
  ),
  taskAcksOnFailureOrTimeout: option(flag, true, 'Acknowledge late tasks that fail or time out.'),
  taskAcksOnFailure: option(
    optional(flag),
    undefined,
    'The same for failures alone; false rejects the message. None follows `taskAcksOnFailureOrTimeout`.',
  ),
  taskAcksOnTimeout: option(
    optional(flag),
    undefined,
    'The same for timeouts alone; false rejects the message. None follows `taskAcksOnFailureOrTimeout`.',
  ),
  taskRejectOnWorkerLost: option(flag, true, 'Redeliver a task whose process died under it.', {
    celery: false,
  }),
  taskMaxDeliveries: option(
    whole(0),
    5,
    'Deliveries after which a message that keeps killing its worker is parked; 0 means no limit.',
    { celery: 0 },
  ),
  taskAlwaysEager: option(flag, false, 'Run tasks in the caller instead of sending them.'),
  taskEagerPropagates: option(flag, false, 'Let eager tasks throw.', {
    oldName: 'CELERY_EAGER_PROPAGATES_EXCEPTIONS',
  }),
  taskStoreEagerResult: option(flag, false, 'Store the results of eager tasks.'),
  taskAnnotations: option(
    optional(annotations),
    undefined,
    'Attributes to change on tasks, by name or `*`.',
  ),
  taskSerializer: option(text, 'json', 'Serializer of task messages.', {
    oldName: 'CELERY_TASK_SERIALIZER',
  }),
  taskCompression: option(optional(text), undefined, 'Compression of task messages.', {
    oldName: 'CELERY_MESSAGE_COMPRESSION',
  }),
  taskProtocol: option(choice(2, 1), 2, 'Message protocol; 1 can be read, but not sent yet.', {
    oldName: 'CELERY_TASK_PROTOCOL',
    planned: true,
  }),
  taskDefaultQueue: option(text, 'celery', 'Queue of tasks that no route claims.'),
  taskDefaultQueueType: option(choice('classic', 'quorum'), 'classic', 'Its kind on RabbitMQ.'),
  taskDefaultExchange: option(
    optional(text),
    undefined,
    'Exchange of the default queue; none is the name of the queue.',
  ),
  taskDefaultExchangeType: option(
    choice('direct', 'topic', 'fanout', 'headers'),
    'direct',
    'Type of that exchange.',
  ),
  taskDefaultRoutingKey: option(
    optional(text),
    undefined,
    'Routing key of the default queue; none is its name.',
  ),
  taskDefaultPriority: option(optional(whole(0)), undefined, 'Priority of messages without one.'),
  taskDefaultDeliveryMode: option(
    deliveryMode,
    2,
    'Whether messages survive a restart of the broker: persistent (2) or transient (1).',
  ),
  taskDefaultRateLimit: option(
    optional(rate),
    undefined,
    "Limit of tasks without one: tasks a second, or '10/m', '100/h'.",
    { planned: true },
  ),
  taskQueues: option(
    optional(queues),
    undefined,
    'The queues of the app; none is the default queue alone.',
    { oldName: 'CELERY_QUEUES' },
  ),
  taskQueueMaxPriority: option(
    optional(whole(0)),
    undefined,
    '`x-max-priority` of queues that name none.',
  ),
  taskRoutes: option(
    optional(routes),
    undefined,
    'Task names, globs or patterns to queues or options; functions; or a list of those.',
    { oldName: 'CELERY_ROUTES' },
  ),
  taskCreateMissingQueues: option(flag, true, 'Create queues that are named but not defined.'),
  taskCreateMissingQueueType: option(
    choice('classic', 'quorum'),
    'classic',
    'Kind of queues created that way on RabbitMQ.',
  ),
  taskCreateMissingQueueExchangeType: option(
    optional(choice('direct', 'topic', 'fanout', 'headers')),
    undefined,
    'Exchange type of queues created that way; none is direct.',
  ),
  taskInheritParentPriority: option(
    flag,
    false,
    'Tasks sent by a task take its priority unless they have one.',
  ),
  taskIgnoreResult: option(flag, false, 'Store no results.'),
  taskStoreErrorsEvenIfIgnored: option(flag, false, 'Store failures of tasks without results.'),
  taskTrackStarted: option(flag, false, 'Store STARTED when a task begins.'),
  taskTimeLimit: option(optional(seconds), undefined, 'Seconds until a task is stopped by force.', {
    oldName: 'CELERYD_TASK_TIME_LIMIT',
  }),
  taskSoftTimeLimit: option(optional(seconds), undefined, 'Seconds until a task is told to stop.', {
    oldName: 'CELERYD_TASK_SOFT_TIME_LIMIT',
  }),
  taskPublishRetry: option(flag, true, 'Try again when publishing fails.', {
    oldName: 'CELERY_TASK_PUBLISH_RETRY',
  }),
  taskPublishRetryPolicy: option(
    publishRetryPolicy,
    { maxRetries: 3, intervalStart: 0, intervalStep: 0.2, intervalMax: 1 },
    'Attempts and pauses in seconds; `publishTimeout` ends them in any case.',
    { oldName: 'CELERY_TASK_PUBLISH_RETRY_POLICY', planned: true },
  ),
  publishTimeout: option(
    seconds,
    5,
    'Seconds after which a send that is not confirmed fails. 0 waits for ever.',
  ),
  taskRemoteTracebacks: option(
    flag,
    false,
    'Errors that are read back show in their `stack` where the task threw them; the property `traceback` always has it.',
  ),
  taskSendSentEvent: option(flag, false, 'Clients tell the event exchange what they send.', {
    oldName: 'CELERY_SEND_TASK_SENT_EVENT',
    planned: true,
  }),
  taskAllowErrorCbOnChordHeader: option(flag, false, 'Error callbacks of a chord join its header.'),
  taskCanvasMaxBytes: option(
    optional(whole(256)),
    undefined,
    "Bytes of what follows a task that travel in its message; more of it is kept in the result backend, and only our workers can go on from there. None keeps Celery's messages.",
    { celery: undefined },
  ),
  taskAutoretryBackoff: option(
    either(flag, number(0)),
    true,
    'Autoretry waits exponentially longer; a number is the first pause in seconds.',
    { celery: false },
  ),
} as const
