/** Settings of remote control. */
import { flag, option, optional, seconds, text } from '../option.ts'

export const controlOptions = {
  controlQueueTtl: option(optional(seconds), 300, 'Seconds a request waits for its node.', {
    planned: true,
  }),
  controlQueueExpires: option(optional(seconds), 10, 'Seconds an unused control queue stays.', {
    planned: true,
  }),
  controlQueueExclusive: option(flag, true, 'Control queues belong to one connection.', {
    planned: true,
  }),
  controlQueueDurable: option(flag, false, 'Control queues survive a restart of the broker.', {
    planned: true,
  }),
  controlExchange: option(text, 'celery', 'Namespace: the exchange is `<value>.pidbox`.'),
} as const
