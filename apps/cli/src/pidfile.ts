/** A file with the id of the process, so that the same service is not started twice. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { UsageError } from './errors.ts'

/**
 * Writes the file and returns what removes it. Throws `CLI_PIDFILE_EXISTS` while the process in it lives; the
 * file of a process that is gone is taken over.
 */
export function takePidfile(file: string, pid = process.pid): () => void {
  const write = (): void => writeFileSync(file, `${pid}\n`, { flag: 'wx' })
  try {
    try {
      write()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      const other = readPid(file)
      if (other !== undefined && other !== pid && isAlive(other)) {
        throw new UsageError(
          `the process ${other} in '${file}' is running; stop it, or use another --pidfile`,
          'CLI_PIDFILE_EXISTS',
          { cause: error },
        )
      }
      rmSync(file, { force: true })
      write()
    }
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(`cannot write the pid file: ${(error as Error).message}`, 'CLI_USAGE', {
      cause: error,
    })
  }
  return () => {
    // Somebody may have taken it over since.
    if (readPid(file) === pid) rmSync(file, { force: true })
  }
}

function readPid(file: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(file, 'utf8'), 10)
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined
  } catch {
    return undefined
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
