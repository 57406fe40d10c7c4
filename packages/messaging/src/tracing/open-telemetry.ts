/**
 * Tracing by OpenTelemetry, an optional peer: a span for each publish and for each message worked on, joined
 * by the headers of the W3C (`traceparent`), which Python's instrumentation reads and writes as well.
 */
import type * as OpenTelemetry from '@opentelemetry/api'
import type { Attributes, Context, Span } from '@opentelemetry/api'
import { messageOf } from '../kernel/errors.ts'
import { optionalPackage } from '../kernel/optional-package.ts'
import type { Delivery } from '../message/delivery.ts'
import type { HeaderValue } from '../message/message.ts'
import type { Tracing } from './tracing.ts'

type Api = typeof OpenTelemetry

export interface OpenTelemetryOptions {
  /** `messaging.system` of the spans; default `celeriac`. */
  readonly system?: string
  /** Attributes of every span. */
  readonly attributes?: Attributes
}

const scope = '@celeriac/messaging'

/**
 * For `new Connection(url, { tracing: await openTelemetry() })`. Rejects with `MESSAGING_PACKAGE_MISSING`
 * without the package `@opentelemetry/api`; without an SDK registered there, it costs next to nothing.
 */
export async function openTelemetry(options: OpenTelemetryOptions = {}): Promise<Tracing> {
  const api = await optionalPackage(
    '@opentelemetry/api',
    '^1.9.0',
    'tracing',
    () => import('@opentelemetry/api'),
  )
  return new OpenTelemetryTracing(api, options)
}

class OpenTelemetryTracing implements Tracing {
  readonly #api: Api
  readonly #attributes: Attributes

  constructor(api: Api, { system = 'celeriac', attributes }: OpenTelemetryOptions) {
    this.#api = api
    this.#attributes = { ...attributes, 'messaging.system': system }
  }

  publishing(publish: Parameters<Tracing['publishing']>[0]): ReturnType<Tracing['publishing']> {
    const { context, propagation, SpanKind, trace } = this.#api
    const destination = publish.exchange === '' ? publish.routingKey : publish.exchange
    const span = trace.getTracer(scope).startSpan(`send ${destination}`, {
      kind: SpanKind.PRODUCER,
      attributes: {
        ...this.#attributes,
        'messaging.operation.name': 'send',
        'messaging.operation.type': 'send',
        'messaging.destination.name': destination,
        'messaging.message.body.size': publish.bodyBytes,
        ...(publish.routingKey !== '' && {
          'messaging.rabbitmq.destination.routing_key': publish.routingKey,
        }),
        ...(publish.messageId !== undefined && { 'messaging.message.id': publish.messageId }),
      },
    })
    const headers: Record<string, HeaderValue> = { ...publish.headers }
    propagation.inject(trace.setSpan(context.active(), span), headers)
    return { headers, end: (error) => this.#end(span, error) }
  }

  async processing<T>(delivery: Delivery, work: () => Promise<T>): Promise<T> {
    const { context, SpanKind, trace } = this.#api
    const { origin, message } = delivery
    const parent = this.#extract(delivery)
    const span = trace.getTracer(scope).startSpan(
      `process ${origin.queue}`,
      {
        kind: SpanKind.CONSUMER,
        attributes: {
          ...this.#attributes,
          'messaging.operation.name': 'process',
          'messaging.operation.type': 'process',
          'messaging.destination.name': origin.queue,
          'messaging.message.body.size': message.body.length,
          'messaging.rabbitmq.destination.routing_key': origin.routingKey,
          ...(origin.redelivered && { 'messaging.message.redelivered': true }),
          ...(message.properties.messageId !== undefined && {
            'messaging.message.id': message.properties.messageId,
          }),
        },
      },
      parent,
    )
    try {
      const result = await context.with(trace.setSpan(parent, span), work)
      this.#end(span, undefined)
      return result
    } catch (error) {
      this.#end(span, error)
      throw error
    }
  }

  #extract({ message }: Delivery): Context {
    const { context, propagation } = this.#api
    // Only texts: a broker may have made something else of a header.
    const carrier = Object.fromEntries(
      Object.entries(message.headers).filter(([, value]) => typeof value === 'string'),
    )
    return propagation.extract(context.active(), carrier)
  }

  #end(span: Span, error: unknown): void {
    if (error !== undefined) {
      const exception = error instanceof Error ? error : new Error(messageOf(error))
      span.recordException(exception)
      span.setStatus({ code: this.#api.SpanStatusCode.ERROR, message: exception.message })
    }
    span.end()
  }
}
