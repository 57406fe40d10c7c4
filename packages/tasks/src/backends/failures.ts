/** What goes wrong with a store, in the words and codes of this package. */
import { didYouMean, messageOf, parseUrl } from '@celeriac/messaging/internal'
import { MessagingError } from '@celeriac/messaging'
import { TasksError } from '../kernel/errors.ts'

type Target = ReturnType<typeof parseUrl>

/**
 * What is thrown for a failure of the store, which `store` names in the text, such as `on Redis`. Our own errors
 * stay as they are.
 */
export function backendFailed(store: string, error: unknown): TasksError {
  if (TasksError.is(error)) return error
  // What only shows when the link is opened is wrong with the setting all the same.
  if (MessagingError.is(error) && /^MESSAGING_(URL|OPTION)_INVALID$/.test(error.code))
    return badBackend(error.message, error)
  const text = `the result backend ${store}: ${messageOf(error)}`
  return new TasksError('TASKS_BACKEND_FAILED', text, { cause: error })
}

export function backendClosed(): TasksError {
  return new TasksError('TASKS_STOPPED', 'the result backend is closed')
}

/** A setting that cannot be used. */
export function badBackend(why: string, cause?: unknown): TasksError {
  return new TasksError('TASKS_CONFIG_INVALID', `resultBackend: ${why}`, { cause })
}

/** As `parseUrl`; throws `TASKS_CONFIG_INVALID`, without the password. */
export function backendTarget(...given: Parameters<typeof parseUrl>): Target {
  return asConfig(() => parseUrl(...given))
}

/** What is wrong with a URL or its options is wrong with the setting. */
export function asConfig<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (!MessagingError.is(error)) throw error
    throw badBackend(error.message.replace('the broker URL', 'the URL'), error)
  }
}

/** Throws `TASKS_CONFIG_INVALID` for an option that nobody reads. */
export function knownOptions(
  options: Readonly<Record<string, unknown>>,
  known: readonly string[],
  where: string,
): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue
    const hint = didYouMean(name, known)
    throw badBackend(`unknown option '${name}' of ${where}.${hint} Known: ${known.join(', ')}`)
  }
}

/** Options by their camelCase names: a configuration may carry them as Python spells them. */
export function camelOptions(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const camel = (name: string): string =>
    name.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
  return Object.fromEntries(Object.entries(options).map(([name, value]) => [camel(name), value]))
}
