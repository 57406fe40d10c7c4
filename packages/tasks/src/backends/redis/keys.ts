/** Every key name of the Redis backend. The first group is Celery's; what is ours lies under `celeriac:`. */

export interface ResultKeys {
  record(id: string): string
  group(id: string): string
  /** Announced size, extra parts, counted parts. */
  size(group: string): string
  extra(group: string): string
  parts(group: string): string
  /** Task id → the member it was counted as; ours. */
  counted(group: string): string
  /** Ids of parts that were added later; ours. */
  added(group: string): string
  /** The id a channel of notices belongs to. */
  idOf(channel: string): string
}

/** Celery: a prefix that does not end in a separator gets an underscore. backends/base.py */
export function resultKeys(prefix: string): ResultKeys {
  const full = prefix === '' || /[:_\-.]$/.test(prefix) ? prefix : `${prefix}_`
  const record = `${full}celery-task-meta-`
  const group = (id: string): string => `${full}celery-taskset-meta-${id}`
  return {
    record: (id) => record + id,
    group,
    size: (id) => `${group(id)}.s`,
    extra: (id) => `${group(id)}.t`,
    parts: (id) => `${group(id)}.j`,
    counted: (id) => `${full}celeriac:counted:${id}`,
    added: (id) => `${full}celeriac:added:${id}`,
    idOf: (channel) => channel.slice(record.length),
  }
}
