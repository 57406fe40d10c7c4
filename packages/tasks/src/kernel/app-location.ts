/** Where the app's module is, for a child process to import; plain data. */
export interface AppLocation {
  /** Absolute `file:` URL of the module; undefined when the app was made without one. */
  readonly module: string | undefined
  /** Name of the export that holds the app. */
  readonly exportName: string
  /** Settings given on the command line, applied over the module's own. */
  readonly overrides: Readonly<Record<string, unknown>>
  /** Name of the worker node. */
  readonly hostname: string
  /** Options of Node itself a child needs to load the module (a loader for TypeScript). */
  readonly execArgv: readonly string[]
}
