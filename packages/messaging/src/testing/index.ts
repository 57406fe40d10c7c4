/** Conformance suites and doubles for authors of plug-ins. No test runner is imported. */
export type { Runner } from './runner.ts'
export { transportSuite, type TransportHarness } from './transport-suite/index.ts'
export { Inbox } from './transport-suite/harness.ts'
export { FaultProxy, type FaultMode } from './fault-proxy.ts'
export { StrictAmqpProxy, type StrictAmqpOptions } from './strict-amqp.ts'
export { FrameReader, type AmqpFrame } from './amqp-frames.ts'
export { compressorSuite } from './compressor-suite.ts'
export { serializerSuite } from './serializer-suite.ts'
