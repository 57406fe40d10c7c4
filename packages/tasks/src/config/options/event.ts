/** Settings of events. */
import { anyText, either, flag, option, optional, seconds, text, whole } from '../option.ts'

export const eventOptions = {
  eventQueueExpires: option(optional(seconds), 60, 'Seconds an unused monitor queue stays.', {
    planned: true,
  }),
  eventQueueTtl: option(optional(seconds), 5, 'Seconds an event waits for a monitor.', {
    planned: true,
  }),
  eventQueuePrefix: option(anyText, 'celeryev', 'Prefix of monitor queues.', { planned: true }),
  eventQueueExclusive: option(flag, true, 'Monitor queues belong to one connection.', {
    planned: true,
  }),
  eventQueueDurable: option(flag, false, 'Monitor queues survive a restart of the broker.', {
    planned: true,
  }),
  eventSerializer: option(text, 'json', 'Serializer of events.', { planned: true }),
  eventExchange: option(text, 'celeryev', 'Exchange of events.', { planned: true }),
  eventsLogfile: option(optional(text), undefined, 'File of the log.', { planned: true }),
  eventsPidfile: option(optional(text), undefined, 'File that holds the process id.', {
    planned: true,
  }),
  eventsUid: option(optional(either(whole(0), text)), undefined, 'User to run as.', {
    planned: true,
  }),
  eventsGid: option(optional(either(whole(0), text)), undefined, 'Group to run as.', {
    planned: true,
  }),
  eventsUmask: option(optional(either(whole(0), text)), undefined, 'File mode mask.', {
    planned: true,
  }),
  eventsExecutable: option(optional(text), undefined, 'Interpreter to run.', { planned: true }),
} as const
