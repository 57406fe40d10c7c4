/** Packages that users install when they want what needs them; an error that says so when one is missing. */
import { messageOf, MessagingError } from './errors.ts'

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
    throw new MessagingError(
      'MESSAGING_PACKAGE_MISSING',
      'message',
      `${purpose} needs the package ${name} (${range}): npm install ${name}@${range} (${messageOf(error)})`,
      { cause: error },
    )
  }
}
