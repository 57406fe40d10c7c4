/**
 * The four things a program takes from its surroundings, handed in as one bundle so that tests can
 * replace them without patching modules.
 */
import { randomUUID } from 'node:crypto'
import { systemClock, type Clock } from './clock.ts'
import { consoleLogger, type Logger } from './log.ts'

export interface Ambient {
  readonly clock: Clock
  readonly log: Logger
  /** A new unique id, a version 4 UUID by default. */
  readonly nextId: () => string
  /** A number in [0, 1). */
  readonly random: () => number
}

/** Real clock, warnings to standard error, random UUIDs. */
export function systemAmbient(changes: Partial<Ambient> = {}): Ambient {
  return {
    clock: systemClock,
    log: consoleLogger,
    nextId: randomUUID,
    random: Math.random,
    ...changes,
  }
}
