/** How a module file becomes a module; the command line has its own way with TypeScript. */
import { pathToFileURL } from 'node:url'

/** Imports an absolute file. */
export type ModuleImporter = (file: string) => Promise<Record<string, unknown>>

/** As Node does it. */
export const importFile: ModuleImporter = async (file) =>
  (await import(pathToFileURL(file).href)) as Record<string, unknown>

/** Imports what was made of a file where there is something, by `compiled`: source file → URL. */
export function importCompiled(compiled: Readonly<Record<string, string>>): ModuleImporter {
  return async (file) =>
    (await import(compiled[file] ?? pathToFileURL(file).href)) as Record<string, unknown>
}
