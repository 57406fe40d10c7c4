/** Settings of events. */
import { anyText, either, flag, option, optional, seconds, text, whole } from '../option.ts'

export const eventOptions = {
  eventQueueExpires: option(optional(seconds), 60, 'Seconds an unused monitor queue stays.'),
  eventQueueTtl: option(optional(seconds), 5, 'Seconds an event waits for a monitor.'),
  eventQueuePrefix: option(anyText, 'celeryev', 'Prefix of monitor queues.'),
  eventQueueExclusive: option(flag, true, 'Monitor queues belong to one connection.'),
  eventQueueDurable: option(flag, false, 'Monitor queues survive a restart of the broker.'),
  eventSerializer: option(text, 'json', 'Serializer of events.'),
  eventExchange: option(text, 'celeryev', 'Exchange of events.'),
  eventsLogfile: option(optional(text), undefined, 'File of the log.'),
  eventsPidfile: option(optional(text), undefined, 'File that holds the process id.'),
  eventsUid: option(optional(either(whole(0), text)), undefined, 'User to run as.'),
  eventsGid: option(optional(either(whole(0), text)), undefined, 'Group to run as.'),
  eventsUmask: option(optional(either(whole(0), text)), undefined, 'File mode mask.'),
  eventsExecutable: option(optional(text), undefined, 'Interpreter to run.', { planned: true }),
} as const
