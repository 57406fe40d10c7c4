/** Where the app's module is, for a child process to import; plain data. */
export interface AppLocation {
  /** The module's file, or its `file:` URL; undefined when the app was made without one. */
  readonly module: string | undefined
  /** Name of the export that holds the app. */
  readonly exportName: string
  /** Settings given on the command line, applied over the module's own. */
  readonly overrides: Readonly<Record<string, unknown>>
  /** Name of the worker node. */
  readonly hostname: string
  /** What was made of modules Node cannot load as they are: source file → URL of the result. */
  readonly compiled: Readonly<Record<string, string>>
  /** Options of Node itself a child is started with. */
  readonly execArgv: readonly string[]
}
