/** Settings of remote control. */
import { flag, option, optional, seconds, text } from '../option.ts'

export const controlOptions = {
  controlQueueTtl: option(optional(seconds), 300, 'Seconds a request waits for its node.'),
  controlQueueExpires: option(optional(seconds), 10, 'Seconds an unused control queue stays.'),
  controlQueueExclusive: option(flag, true, 'Control queues belong to one connection.'),
  controlQueueDurable: option(flag, false, 'Control queues survive a restart of the broker.'),
  controlExchange: option(text, 'celery', 'Namespace: the exchange is `<value>.pidbox`.'),
} as const
