/**
 * Minutes of the wall clock, as in a crontab. Where the clock changes: a run that falls into hours that do
 * not exist happens once, right after them; a run in an hour that comes twice happens the first time. A
 * crontab of every hour counts as an interval: nothing is made up for and nothing left out.
 */
import { TasksError } from '../kernel/errors.ts'
import { dueAt, type Due, type Schedule, type ScheduleJson } from '../schedule/schedule.ts'
import { checkZone, stretchAt } from '../schedule/zoned-time.ts'
import { fieldRanges, parseField, type CrontabFieldInput } from './crontab-field.ts'

export interface CrontabOptions {
  /** Default every one, as for all fields. */
  readonly minute?: CrontabFieldInput
  readonly hour?: CrontabFieldInput
  /** 0 is Sunday. Both this and the day of the month must fit. */
  readonly dayOfWeek?: CrontabFieldInput
  readonly dayOfMonth?: CrontabFieldInput
  readonly monthOfYear?: CrontabFieldInput
  /** Zone of this schedule; default the app's. */
  readonly timezone?: string
  /** Runs in hours that do not exist: once right `after` them, or `skip`. */
  readonly gap?: 'after' | 'skip'
  /** Runs in an hour that comes twice: `once`, the first time, or `twice`. */
  readonly repeat?: 'once' | 'twice'
}

type FieldName = keyof typeof fieldRanges
type ZoneRules = Pick<CrontabOptions, 'timezone' | 'gap' | 'repeat'>

const fieldNames = Object.keys(fieldRanges) as FieldName[]
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
/** 29 February on a given weekday comes after at most 40 years, around 2100. */
const HORIZON_MS = 41 * 366 * DAY_MS
const longestMonths = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

export class Crontab implements Schedule {
  readonly kind = 'crontab'
  readonly #given: Readonly<Record<FieldName, CrontabFieldInput>>
  readonly #rules: ZoneRules
  readonly #gap: 'after' | 'skip'
  readonly #repeat: 'once' | 'twice'
  /** For each minute of a day the first matching one that is not before it, or -1. */
  readonly #nextMinute: Int16Array
  readonly #daysOfWeek: ReadonlySet<number>
  readonly #daysOfMonth: ReadonlySet<number>
  readonly #months: ReadonlySet<number>

  constructor(options: CrontabOptions = {}) {
    const { timezone, gap, repeat } = options
    this.#rules = {
      ...(timezone === undefined ? {} : { timezone: checkZone(timezone) }),
      ...(gap === undefined ? {} : { gap }),
      ...(repeat === undefined ? {} : { repeat }),
    }
    this.#given = Object.fromEntries(
      fieldNames.map((name) => [name, plain(options[name] ?? '*')]),
    ) as Record<FieldName, CrontabFieldInput>
    const field = (name: FieldName): readonly number[] =>
      parseField(this.#given[name], fieldRanges[name])

    const hours = field('hour')
    const minutes = field('minute')
    this.#nextMinute = nextMinutes(hours, minutes)
    this.#daysOfWeek = new Set(field('dayOfWeek'))
    this.#daysOfMonth = new Set(field('dayOfMonth'))
    this.#months = new Set(field('monthOfYear'))
    this.#gap = gap ?? (hours.length === 24 ? 'skip' : 'after')
    this.#repeat = repeat ?? (hours.length === 24 ? 'twice' : 'once')

    const firstDay = Math.min(...this.#daysOfMonth)
    if (![...this.#months].some((month) => firstDay <= longestMonths[month - 1]!)) {
      throw new TasksError('TASKS_SCHEDULE_INVALID', 'the crontab names a day that no month has')
    }
  }

  next(afterMs: number, zone = 'UTC'): number | undefined {
    const inZone = this.#rules.timezone ?? zone
    const horizonMs = afterMs + HORIZON_MS
    let stretch = stretchAt(inZone, afterMs)
    // A change at the very instant that was served leaves nothing behind it.
    let fromLocalMs = (Math.floor((afterMs + stretch.offsetMs) / MINUTE_MS) + 1) * MINUTE_MS
    const repeated = this.#repeat === 'once' ? this.#repeatedUntil(inZone, afterMs) : undefined
    if (repeated !== undefined) fromLocalMs = Math.max(fromLocalMs, repeated)

    for (;;) {
      const untilLocalMs = Math.min(stretch.untilMs, horizonMs) + stretch.offsetMs
      const hit = this.#firstMatch(fromLocalMs, untilLocalMs)
      if (hit !== undefined) return hit - stretch.offsetMs
      if (stretch.untilMs >= horizonMs) return undefined

      const changeMs = stretch.untilMs
      const oldLocalMs = changeMs + stretch.offsetMs
      stretch = stretchAt(inZone, changeMs)
      const newLocalMs = changeMs + stretch.offsetMs
      const isMissed =
        this.#gap === 'after' && this.#firstMatch(oldLocalMs, newLocalMs) !== undefined
      if (isMissed) return changeMs
      fromLocalMs = this.#repeat === 'once' ? Math.max(newLocalMs, oldLocalMs) : newLocalMs
    }
  }

  isDue(lastMs: number, nowMs: number, zone?: string): Due {
    return dueAt(this, lastMs, nowMs, zone)
  }

  toJSON(): ScheduleJson {
    return { kind: this.kind, ...this.#given, ...this.#rules }
  }

  /** The local time up to which `atMs` sees the clock for the second time; undefined when it does not. */
  #repeatedUntil(zone: string, atMs: number): number | undefined {
    const stretch = stretchAt(zone, atMs)
    // No change of a clock is longer than a day.
    const before = stretchAt(zone, atMs - DAY_MS)
    if (before.untilMs > atMs || before.offsetMs <= stretch.offsetMs) return undefined
    const untilLocalMs = before.untilMs + before.offsetMs
    return atMs + stretch.offsetMs < untilLocalMs ? untilLocalMs : undefined
  }

  /** The first matching minute in [fromMs, untilMs) of local time. */
  #firstMatch(fromMs: number, untilMs: number): number | undefined {
    let dayMs = Math.floor(fromMs / DAY_MS) * DAY_MS
    let earliest = Math.ceil((fromMs - dayMs) / MINUTE_MS)
    while (dayMs < untilMs) {
      const date = new Date(dayMs)
      if (!this.#months.has(date.getUTCMonth() + 1)) {
        dayMs = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1)
        earliest = 0
        continue
      }
      if (this.#daysOfMonth.has(date.getUTCDate()) && this.#daysOfWeek.has(date.getUTCDay())) {
        const minute = this.#nextMinute[earliest] ?? -1
        if (minute >= 0) {
          const hit = dayMs + minute * MINUTE_MS
          return hit < untilMs ? hit : undefined
        }
      }
      dayMs += DAY_MS
      earliest = 0
    }
    return undefined
  }
}

function nextMinutes(hours: readonly number[], minutes: readonly number[]): Int16Array {
  const table = new Int16Array(24 * 60).fill(-1)
  for (const hour of hours) for (const minute of minutes) table[hour * 60 + minute] = 0
  let coming = -1
  for (let at = table.length - 1; at >= 0; at--) {
    if (table[at] === 0) coming = at
    table[at] = coming
  }
  return table
}

/** Iterables become lists, for JSON. */
function plain(input: CrontabFieldInput): CrontabFieldInput {
  return typeof input === 'object' ? [...input] : input
}

/**
 * A crontab: `crontab({ hour: 7, minute: 30, dayOfWeek: 'mon-fri' })`, or the five fields of a line,
 * `crontab('30 7 * * mon-fri')` (minute, hour, day of month, month, day of week). Throws
 * `TASKS_SCHEDULE_INVALID`.
 */
export function crontab(fields: string | CrontabOptions = {}, rules: ZoneRules = {}): Crontab {
  if (typeof fields !== 'string') return new Crontab({ ...fields, ...rules })
  const parts = fields.trim().split(/\s+/)
  const [minute, hour, dayOfMonth, monthOfYear, dayOfWeek, ...more] = parts
  if (!minute || !hour || !dayOfMonth || !monthOfYear || !dayOfWeek || more.length > 0) {
    throw new TasksError(
      'TASKS_SCHEDULE_INVALID',
      `a crontab has five fields (minute, hour, day of month, month, day of week), found '${fields}'`,
    )
  }
  return new Crontab({ minute, hour, dayOfMonth, monthOfYear, dayOfWeek, ...rules })
}
