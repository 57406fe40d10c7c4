/** One periodic task: what is configured, what is remembered, and the tick that is sent. */
import { createHash } from 'node:crypto'
import { AppliedSignature } from '../app/applied-signature.ts'
import type { BeatEntrySetting } from '../config/options/structures.ts'
import { isMapping } from '../config/option.ts'
import { ConfigError } from '../kernel/errors.ts'
import type { Schedule } from '../schedule/schedule.ts'
import { scheduleFrom, type ScheduleTable } from '../schedules/index.ts'

type Mapping = Readonly<Record<string, unknown>>

/** An entry as it is configured. Functions among the arguments are asked at every tick. */
export interface BeatEntry {
  readonly name: string
  /** Name of the task. */
  readonly task: string
  readonly schedule: Schedule
  readonly args: readonly unknown[] | (() => readonly unknown[])
  readonly kwargs: Mapping | (() => Mapping)
  /** Execution options. */
  readonly options: Mapping
  readonly enabled: boolean
}

/** What a store keeps of an entry. Plain JSON. */
export interface EntryRecord {
  readonly name: string
  /** The last tick that was served, or the moment the entry was first seen; epoch milliseconds. */
  readonly lastTickMs: number
  readonly totalRunCount: number
  /** The schedule it was kept for, as JSON text: another one starts anew. */
  readonly schedule: string
}

/** One run that is due: complete, to be sent as it is. */
export interface BeatTick {
  /** The same on every scheduler for the same entry and due time, so that doubles can be told. */
  readonly id: string
  readonly name: string
  readonly task: string
  readonly args: readonly unknown[]
  readonly kwargs: Mapping
  readonly options: Mapping
  /** When it was due, epoch milliseconds. */
  readonly tickMs: number
}

/** Reads one entry of the setting `beatSchedule`. Throws `TASKS_CONFIG_INVALID` naming the entry. */
export function entryFrom(
  name: string,
  setting: BeatEntrySetting,
  table?: ScheduleTable,
): BeatEntry {
  const refuse = (why: string, cause?: unknown): never => {
    const message = `the entry '${name}' of beatSchedule: ${why}`
    throw new ConfigError('TASKS_CONFIG_INVALID', message, 'beatSchedule', { cause })
  }
  const { task, relative, enabled = true } = setting
  const call = AppliedSignature.is(task) ? task.data : undefined
  if (call !== undefined && call.kind !== 'call')
    return refuse(`a ${call.kind} cannot be scheduled as it is: schedule a task that sends it`)
  const { args = call?.args ?? [], kwargs = call?.kwargs ?? {} } = setting
  if (setting.options !== undefined && !isMapping(setting.options))
    return refuse('options must be a mapping')
  const options = { ...call?.options, ...setting.options }
  const taskName = typeof task === 'string' ? task : task?.name
  if (typeof taskName !== 'string' || taskName === '')
    return refuse('task must be a task or a name')
  if (!Array.isArray(args) && typeof args !== 'function') return refuse('args must be a list')
  if (!isMapping(kwargs) && typeof kwargs !== 'function') return refuse('kwargs must be a mapping')
  try {
    const schedule = scheduleFrom(setting.schedule, {
      ...(relative === undefined ? {} : { relative }),
      ...(table === undefined ? {} : { table }),
    })
    return { name, task: taskName, schedule, args, kwargs, options, enabled }
  } catch (error) {
    return refuse((error as Error).message, error)
  }
}

/** The run of `entry` that was due at `tickMs`. `scope` tells apps apart that share a broker. */
export function tickOf(entry: BeatEntry, tickMs: number, scope: string): BeatTick {
  const { name, task, args, kwargs, options } = entry
  return {
    id: tickId(scope, entry, tickMs),
    name,
    task,
    args: typeof args === 'function' ? args() : args,
    kwargs: typeof kwargs === 'function' ? kwargs() : kwargs,
    options,
    tickMs,
  }
}

/** A UUID of version 8 (free form) made from what must agree between schedulers. */
function tickId(scope: string, entry: BeatEntry, tickMs: number): string {
  const source = JSON.stringify(['celeriac.beat', scope, entry.name, entry.task, tickMs])
  const hash = createHash('sha256').update(source).digest()
  hash[6] = (hash[6]! & 0x0f) | 0x80
  hash[8] = (hash[8]! & 0x3f) | 0x80
  const hex = hash.toString('hex', 0, 16)
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
