/** Names of keys and files as Celery's key-value stores make them (celery/backends/base.py). */

export interface CeleryKeys {
  record(id: string): string
  group(id: string): string
  /** What a chord is counted or locked by. */
  chord(id: string): string
  /** Before every name, with its separator. */
  readonly prefix: string
  /** How the names of records begin. */
  readonly ofRecords: string
}

/** A prefix that does not end in a separator gets an underscore. */
export function celeryKeys(prefix: string): CeleryKeys {
  const full = prefix === '' || /[:_\-.]$/.test(prefix) ? prefix : `${prefix}_`
  const ofRecords = `${full}celery-task-meta-`
  return {
    record: (id) => ofRecords + id,
    group: (id) => `${full}celery-taskset-meta-${id}`,
    chord: (id) => `${full}chord-unlock-${id}`,
    prefix: full,
    ofRecords,
  }
}

/** `globalKeyprefix`, which a URL may have turned into a number. */
export function keyPrefix(options: Readonly<Record<string, unknown>>): string {
  const prefix = options['globalKeyprefix']
  return typeof prefix === 'string' || typeof prefix === 'number' ? String(prefix) : ''
}
