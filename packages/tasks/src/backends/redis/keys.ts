/**
 * Every key name of the Redis backend. The first group is Celery's; what is ours lies under `celeriac:`. On a
 * cluster the id of a group stands in braces, so that all keys of its join lie in one slot.
 */
import { celeryKeys } from '../celery-keys.ts'

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
  /** A name somebody owns for a time; ours. */
  own(name: string): string
  /** The id a channel of notices belongs to. */
  idOf(channel: string): string
}

export function resultKeys(prefix: string, isCluster = false): ResultKeys {
  const keys = celeryKeys(prefix)
  const tagged = (id: string): string => (isCluster ? `{${id}}` : id)
  const group = (id: string): string => keys.group(tagged(id))
  const ours = (what: string, id: string): string => `${keys.prefix}celeriac:${what}:${tagged(id)}`
  return {
    record: (id) => keys.record(id),
    group,
    size: (id) => `${group(id)}.s`,
    extra: (id) => `${group(id)}.t`,
    parts: (id) => `${group(id)}.j`,
    counted: (id) => ours('counted', id),
    added: (id) => ours('added', id),
    own: (name) => `${keys.prefix}celeriac:own:${name}`,
    idOf: (channel) => channel.slice(keys.ofRecords.length),
  }
}
