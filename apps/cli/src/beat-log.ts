/** Signals of a beat → sentences of the log. */
import type { createBeat } from '@celeriac/tasks'
import type { Logger } from '@celeriac/tasks/internal'

export type Beat = Awaited<ReturnType<typeof createBeat>>

export function logBeat({ signals }: Beat, log: Logger): void {
  signals.on('leading', ({ isLeading }) =>
    log.info(isLeading ? 'beat: looking after the schedule' : 'beat: another one leads now'),
  )
  signals.on('sent', ({ tick, lateMs }) => {
    const late = lateMs >= 1000 ? `, ${(lateMs / 1000).toFixed(1)}s late` : ''
    log.info(`beat: sent ${tick.name} (${tick.task}[${tick.id}])${late}`)
  })
  signals.on('failed', ({ tick, error }) =>
    log.error(`beat: cannot send ${tick.name}, it stays due: ${reasonOf(error)}`),
  )
  signals.on('leftOut', ({ name }) =>
    log.warn(`beat: runs of ${name} were missed for too long and are left out`),
  )
  signals.on('storeFailed', ({ error }) =>
    log.error(`beat: cannot use the schedule's store: ${reasonOf(error)}`),
  )
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
