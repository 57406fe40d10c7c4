/** Packages that users install when they want what needs them; an error that says so when one is missing. */
import { messageOf, MessagingError, type Fault, type MessagingCode } from './errors.ts'

/**
 * What `load` imports. Rejects with `MESSAGING_PACKAGE_MISSING`, whose text has the command that installs
 * it; also when the package is there and does not work.
 */
export async function optionalPackage<T>(
  name: string,
  range: string,
  purpose: string,
  load: () => Promise<T>,
): Promise<T> {
  try {
    return await load()
  } catch (error) {
    throw missing('MESSAGING_PACKAGE_MISSING', 'message', name, range, purpose, error)
  }
}

/** The same for the driver of a broker, without which nothing works: `MESSAGING_DRIVER_MISSING` (fatal). */
export async function optionalDriver<T>(
  name: string,
  range: string,
  purpose: string,
  load: () => Promise<unknown>,
): Promise<T> {
  try {
    // Drivers in CommonJS come with their names, or under `default`, as the loader sees fit.
    const loaded = (await load()) as T & { default?: T }
    return loaded.default ?? loaded
  } catch (error) {
    throw missing('MESSAGING_DRIVER_MISSING', 'fatal', name, range, purpose, error)
  }
}

function missing(
  code: MessagingCode,
  fault: Fault,
  name: string,
  range: string,
  purpose: string,
  cause: unknown,
): MessagingError {
  return new MessagingError(
    code,
    fault,
    `${purpose} needs the package ${name} (${range}): npm install ${name}@${range} (${messageOf(cause)})`,
    { cause },
  )
}
