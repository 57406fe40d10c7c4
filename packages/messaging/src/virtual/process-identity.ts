/**
 * Who a session belongs to, so that the messages of a killed process are given back at once: a lease only
 * tells after it ended. Processes that cannot see each other (containers) go by their leases alone.
 */
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

export interface Identity {
  /** Equal for processes whose ids mean the same: same machine, same start of it, same process namespace. */
  readonly host: string
  readonly pid: number
  /** Tells a process from an earlier one of the same id, where the system says so. */
  readonly started: string
}

function read(from: () => string): string {
  try {
    return from().trim()
  } catch {
    return ''
  }
}

/** This process. */
export function ownIdentity(): Identity {
  const boot = read(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'))
  const namespace = read(() => readlinkSync('/proc/self/ns/pid'))
  return {
    host: [hostname(), boot, namespace].join(' '),
    pid: process.pid,
    started: startOf(process.pid),
  }
}

/** When a process started, in the system's own units; empty when it does not tell. */
function startOf(pid: number): string {
  const text = read(() => readFileSync(`/proc/${pid}/stat`, 'utf8'))
  // The name in parentheses may contain anything; the 20th word after it is the start time.
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? ''
}

/** True when the process is certainly gone; false when it lives or nothing can be said. */
export function isGone(other: Identity, own: Identity): boolean {
  if (other.host !== own.host || other.pid === own.pid) return false
  try {
    process.kill(other.pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
  const started = startOf(other.pid)
  return started !== '' && other.started !== '' && started !== other.started
}
