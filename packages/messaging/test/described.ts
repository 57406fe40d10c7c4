/**
 * Values in the words of test-integration/fixtures/codecs.py, so that two languages can compare them. It
 * knows classes by their names: some tests run the sources, others what was built of them.
 */
export function described(value: unknown): unknown {
  switch (typeof value) {
    case 'bigint':
      return ['number', String(value)]
    case 'number':
      return number(value)
    case 'object':
      return value === null ? null : object(value)
    default:
      return value
  }
}

function number(value: number): unknown {
  if (Number.isSafeInteger(value)) return ['number', String(value)]
  if (Number.isNaN(value)) return ['float', 'nan']
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleBE(value)
  return ['float', bytes.toString('hex')]
}

/** The classes whose text is Python's. */
const named: Readonly<Record<string, string>> = {
  LocalDate: 'date',
  LocalTime: 'time',
  Decimal: 'decimal',
  Uuid: 'uuid',
}

function object(value: object): unknown {
  const name = value.constructor?.name ?? 'Object'
  if (Object.hasOwn(named, name)) return [named[name], (value as { toString(): string }).toString()]
  if (name === 'TimeDelta') {
    const { days, seconds, microseconds } = value as Record<string, number>
    return ['timedelta', days, seconds, microseconds]
  }
  if (Array.isArray(value)) return ['list', value.map(described)]
  if (value instanceof Uint8Array) return ['bytes', Buffer.from(value).toString('hex')]
  if (value instanceof Date) return ['datetime', dateText(value)]
  if (value instanceof Set) {
    const members = Array.from(value, described)
    return ['set', members.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))]
  }
  if (value instanceof Map) {
    return ['map', Array.from(value, ([key, member]) => [described(key), described(member)])]
  }
  const members = Object.entries(value).map(([key, member]) => [key, described(member)] as const)
  return ['dict', Object.fromEntries(members)]
}

function dateText(value: Date): string {
  if ('text' in value && typeof value.text === 'string') return value.text
  return value.toISOString().replace('.000Z', '+00:00').replace('Z', '000+00:00')
}
