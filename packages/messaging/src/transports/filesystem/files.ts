/** Small acts on files that are whole or not at all, whatever happens in between. */
import { copyFile, open, readdir, rename, rmdir, unlink, type FileHandle } from 'node:fs/promises'

export function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code
}

/** Undefined instead of an error when the file is not there. */
export async function ifThere<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** Names in a folder; none when it is not there. */
export async function list(folder: string): Promise<string[]> {
  return (await ifThere(readdir(folder))) ?? []
}

/** Moves a file; false when it is not there (any more). */
export async function move(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to)
    return true
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
}

/** As `move`, also to another file system. */
export async function moveAnywhere(from: string, to: string): Promise<boolean> {
  try {
    return await move(from, to)
  } catch (error) {
    if (codeOf(error) !== 'EXDEV') throw error
    // Over what a copy left that was broken off: it is the same file.
    const isThere = await ifThere(copyFile(from, to).then(() => true))
    if (isThere) await ifThere(unlink(from))
    return isThere ?? false
  }
}

/** Removes a folder that is empty; one that is not stays. */
export async function removeFolder(path: string): Promise<void> {
  try {
    await rmdir(path)
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST', 'EBUSY'].includes(codeOf(error) ?? '')) throw error
  }
}

/** Writes a new file that is on the disk when this resolves. Nobody may look for it by this name yet. */
export async function writeSafely(path: string, text: string): Promise<void> {
  const file = await open(path, 'w', 0o666)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Makes the names in a folder as safe as the files; not every system can. */
export async function syncFolder(folder: string): Promise<void> {
  let handle: FileHandle | undefined
  try {
    handle = await open(folder, 'r')
    await handle.sync()
  } catch {
    // Windows, some network file systems.
  } finally {
    await handle?.close()
  }
}

/** Runs `work` for each, a few at a time; rejects with the first failure after all have ended. */
export async function eachOf<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
  atOnce = 16,
): Promise<void> {
  let next = 0
  const failures: unknown[] = []
  const run = async (): Promise<void> => {
    while (next < items.length && failures.length === 0) {
      const item = items[next++]!
      await work(item).catch((error: unknown) => failures.push(error))
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, run))
  if (failures.length > 0) throw failures[0]
}
