/** A broker that throws keys away when its memory is short loses messages without a word. */
import type { Logger } from '../../kernel/log.ts'

/** Warns when the server would evict keys; `info` is its answer to INFO. */
export function warnOfEviction(info: string, log: Logger, url: string): void {
  const maxmemory = Number(/^maxmemory:(\d+)/m.exec(info)?.[1] ?? 0)
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1]
  if (maxmemory === 0 || policy === undefined || policy === 'noeviction') return
  const lost = policy.startsWith('volatile')
    ? 'reply queues and other keys with an end of their own'
    : 'queues with their messages'
  log.warn(
    `Redis removes ${lost} when its memory is short; set maxmemory-policy to noeviction for a broker`,
    { url, policy, maxmemory },
  )
}
