/** A length of time to the microsecond: Python's `timedelta`. */

const microsecondsOf = { day: 86_400_000_000n, second: 1_000_000n }

/** Python's own bounds. */
const mostDays = 999_999_999

export class TimeDelta {
  /** Whole days, negative for a negative length. */
  readonly days: number
  /** 0 to 86,399. */
  readonly seconds: number
  /** 0 to 999,999. */
  readonly microseconds: number

  /** Parts of any size and sign, whole numbers; throws a TypeError beyond a billion days. */
  constructor(days: number, seconds = 0, microseconds = 0) {
    for (const part of [days, seconds, microseconds]) {
      if (!Number.isSafeInteger(part)) throw new TypeError(`${part} is not a whole number`)
    }
    const { day, second } = microsecondsOf
    const total = BigInt(days) * day + BigInt(seconds) * second + BigInt(microseconds)
    const inDay = ((total % day) + day) % day
    this.days = Number((total - inDay) / day)
    this.seconds = Number(inDay / second)
    this.microseconds = Number(inDay % second)
    if (Math.abs(this.days) > mostDays) throw new TypeError(`${days} days are too many`)
  }

  /** In milliseconds; microseconds become a fraction. */
  get ms(): number {
    return (this.days * 86_400 + this.seconds) * 1000 + this.microseconds / 1000
  }
  /** Python's text: `1 day, 2:03:04.000005`. */
  toString(): string {
    const minutes = Math.floor(this.seconds / 60)
    const two = (value: number): string => String(value).padStart(2, '0')
    const time = `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(this.seconds % 60)}`
    const micros = this.microseconds ? `.${String(this.microseconds).padStart(6, '0')}` : ''
    const days = `${this.days} day${Math.abs(this.days) === 1 ? '' : 's'}, `
    return `${this.days === 0 ? '' : days}${time}${micros}`
  }
}
