/**
 * Loaded first in the child processes of a worker (`--import`): what tasks write there gets the form and the
 * level of the worker's own log. A child would otherwise write warnings only, in another form.
 */
import { consoleLogger } from '@celeriac/tasks/internal'
import { openLog, useLog, type LogOptions } from './logging.ts'

const variable = 'CELERIAC_CHILD_LOG'

/** Options of Node that make children log as `options` say; the options travel in the environment. */
export function childLogArguments(options: LogOptions): readonly string[] {
  process.env[variable] = JSON.stringify(options)
  return ['--import', import.meta.url]
}

const given = process.env[variable]
// In the worker itself the variable is not set when this module is loaded.
if (given !== undefined && process.send !== undefined) {
  const options = JSON.parse(given) as LogOptions
  useLog(consoleLogger, openLog({ ...options, process: `PoolWorker-${process.pid}` }))
}
