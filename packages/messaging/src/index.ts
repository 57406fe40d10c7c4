/** The public names of the package, grouped by noun. */

// Errors and surroundings
export { MessagingError, type Fault, type MessagingCode } from './kernel/errors.ts'
export { systemAmbient, type Ambient } from './kernel/ambient.ts'
export { systemClock, type Clock } from './kernel/clock.ts'
export {
  consoleLogger,
  makeLogger,
  silentLogger,
  type Fields,
  type Level,
  type Logger,
  type LogRecord,
} from './kernel/log.ts'

// Messages
export { message, type Headers, type HeaderValue, type Message } from './message/message.ts'
export type { Properties } from './message/properties.ts'
export { Delivery, type Origin, type Outcome } from './message/delivery.ts'

// Topology
export {
  defaultExchange,
  exchange,
  type Arguments,
  type Exchange,
  type ExchangeOptions,
  type ExchangeType,
  type SourceBinding,
  type SourceBindingOptions,
} from './topology/exchange.ts'
export {
  queue,
  type Queue,
  type QueueBinding,
  type QueueOptions,
  type QueueType,
} from './topology/queue.ts'
export type { Binding, ExchangeBinding } from './topology/binding.ts'

// Codecs
export type { Serializer } from './codec/serializer.ts'
export type { Compressor } from './codec/compressor.ts'
export { serializers } from './serializers/index.ts'
export { compressors } from './compressors/index.ts'
export { Decimal, LocalDate, LocalTime, Uuid } from './serializers/json-values.ts'
export { TimeDelta } from './serializers/time-delta.ts'
export { makePickle, type PickleGlobal, type PickleOptions } from './serializers/pickle/pickle.ts'

// Transports
export type { Capabilities } from './transport/capabilities.ts'
export type {
  Channel,
  ConsumeOptions,
  OnDeliveries,
  Publication,
  PublishFailures,
  QueueStatus,
} from './transport/channel.ts'
export type {
  ConnectOptions,
  Session,
  Target,
  Transport,
  TransportEntry,
} from './transport/transport.ts'
export { transports } from './transports/index.ts'

// Making one
export { notSupported } from './transport/capabilities.ts'
export { virtualTransport, type VirtualOptions } from './virtual/transport.ts'
export {
  parkedQueue,
  type Broadcast,
  type MessageStore,
  type Push,
  type Settlement,
  type StoreContext,
  type StoreEvents,
  type StoreOutcome,
  type Taken,
  type TickResult,
} from './virtual/store.ts'
export { DelayLadder, type DelayLadderOptions } from './transports/amqp/delay-ladder.ts'

// Using them
export { Producer, type ProducerOptions, type SendReport } from './producer/producer.ts'
export type { DeliveryMode, PublishOptions } from './producer/options.ts'
export { Consumer, type ConsumerOptions, type ConsumerSignals } from './consumer/consumer.ts'
export type { IterateOptions } from './consumer/iterate.ts'
export {
  Connection,
  type ConnectionInfo,
  type ConnectionSignals,
  type ConnectionState,
} from './connection/connection.ts'
export type { ConnectionOptions, Credentials } from './connection/options.ts'
export type { FailoverFunction, FailoverStrategy } from './connection/failover.ts'
export type { PublishTrace, TracedPublish, Tracing } from './tracing/tracing.ts'
export { openTelemetry, type OpenTelemetryOptions } from './tracing/open-telemetry.ts'
export { broadcast } from './topology/broadcast.ts'
export type { EnsureOptions } from './connection/ensure.ts'
export type { Counts } from './kernel/counters.ts'
export { Loop, type LoopContext, type LoopHandler, type LoopOptions } from './loop/loop.ts'
export {
  SimpleBuffer,
  SimpleQueue,
  type GetOptions,
  type SimpleQueueOptions,
} from './simple/simple-queue.ts'
export {
  Mailbox,
  type CallOptions,
  type CastOptions,
  type MailboxOptions,
  type Reply,
} from './mailbox/mailbox.ts'
export { MailboxNode, type CommandContext, type Handler, type NodeOptions } from './mailbox/node.ts'
export type { Matcher } from './mailbox/matchers.ts'
export { LamportClock } from './kernel/lamport-clock.ts'
export {
  ConnectionPool,
  Pool,
  ProducerPool,
  type PoolFactory,
  type PoolOptions,
} from './connection/pool.ts'
export { connections, PoolGroup, producers } from './connection/pools.ts'
export { maskUrl } from './connection/url.ts'
