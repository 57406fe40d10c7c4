/** Secrets of tasks that travel in the arguments of others: mapped over items, or as the body of a chord. */
import type { Redaction } from '../execution/runnable.ts'
import type { Celeriac } from './app.ts'

/** What is secret about a task that is an argument of another, as it travels. */
export function redactionWithin(app: Celeriac, wire: unknown): Redaction | undefined {
  const name = (wire as { readonly task?: unknown } | undefined)?.task
  const redact = typeof name === 'string' ? app.registry.find(name)?.options.redact : undefined
  return redact && { ...redact, ...(redact.args !== undefined && { args: true }) }
}
