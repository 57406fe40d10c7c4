/** The shelf of schedules. One line for each; values of settings and JSON become schedules here. */
import { TasksError } from '../kernel/errors.ts'
import { isSchedule, type Schedule, type ScheduleJson } from '../schedule/schedule.ts'
import { crontab, type CrontabOptions } from './crontab.ts'
import { interval, type IntervalOptions } from './interval.ts'

/** How each kind is made again from its JSON form. */
export const schedules = {
  interval: (json) => interval(json['every'] as number, json as IntervalOptions),
  crontab: (json) => crontab(json as CrontabOptions),
} as const satisfies Record<string, (json: ScheduleJson) => Schedule>

export type ScheduleTable = Readonly<Record<string, (json: ScheduleJson) => Schedule>>

/**
 * What a setting may give: a schedule, a number of seconds, the text of a crontab, or a JSON form. Throws
 * `TASKS_SCHEDULE_INVALID` for anything else.
 */
export function scheduleFrom(
  value: unknown,
  options: { readonly relative?: boolean; readonly table?: ScheduleTable } = {},
): Schedule {
  const { relative } = options
  const table: ScheduleTable = options.table ?? schedules
  if (isSchedule(value)) return value
  if (typeof value === 'number') return interval(value, relative === true ? { relative } : {})
  if (typeof value === 'string') return crontab(value)
  if (typeof value === 'object' && value !== null && 'kind' in value) {
    const json = value as ScheduleJson
    const make = Object.hasOwn(table, json.kind) ? table[json.kind] : undefined
    if (make) return make(json)
    throw new TasksError(
      'TASKS_SCHEDULE_INVALID',
      `there is no kind of schedule '${json.kind}'; known: ${Object.keys(table).join(', ')}`,
    )
  }
  throw new TasksError(
    'TASKS_SCHEDULE_INVALID',
    'a schedule is a number of seconds, crontab(…), the text of a crontab, or another Schedule',
  )
}
