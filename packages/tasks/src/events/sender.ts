/** Publishes single events, such as those a task sends itself. */
import { exchange, type Ambient, type Producer } from '@celeriac/messaging'
import { stringifyJson } from '@celeriac/messaging/internal'
import { TasksError } from '../kernel/errors.ts'
import { eventOf } from './event.ts'

export interface EventSenderServices {
  readonly ambient: Ambient
  /** `eventExchange`. */
  readonly exchange: string
  /** Celery's is a topic, but a fanout on Redis. */
  readonly type: 'topic' | 'fanout'
  producer(): Producer
  /** The next reading of the logical clock. */
  tick(): number
}

export class EventSender {
  readonly #services: EventSenderServices
  readonly #exchange: ReturnType<typeof exchange>

  constructor(services: EventSenderServices) {
    this.#services = services
    this.#exchange = exchange(services.exchange, { type: services.type })
  }

  /** Resolves when the broker has it. Rejects with `TASKS_ARGUMENTS_INVALID` for a type that is none. */
  async send(
    type: string,
    hostname: string,
    fields: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    if (!/^[a-z][\w.]*(-[\w.]+)*$/i.test(type)) {
      throw new TasksError(
        'TASKS_ARGUMENTS_INVALID',
        `the type of an event is words with '-' between them, such as 'task-progress'; found '${type}'`,
      )
    }
    const { ambient, producer, tick } = this.#services
    const event = eventOf(type, fields, {
      hostname,
      pid: process.pid,
      clock: tick(),
      nowMs: ambient.clock.now(),
      offsetMinutes: new Date(ambient.clock.now()).getTimezoneOffset(),
    })
    const { headers, properties } = event.message
    await producer().publishMessage(
      {
        exchange: this.#services.exchange,
        routingKey: event.routingKey,
        message: {
          headers,
          properties: { ...properties, contentType: 'application/json', contentEncoding: 'utf-8' },
          body: Buffer.from(stringifyJson(event.value)),
        },
      },
      [this.#exchange],
    )
  }
}
