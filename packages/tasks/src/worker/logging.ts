/** Signal → sentence: the only file with the log texts of a worker. */
import type { Logger } from '@celeriac/messaging'
import type { ExecutionReport } from '../kernel/report.ts'
import type { Worker } from './worker.ts'

/** Writes what a worker does; the returned function ends it. */
export function logWorker({ signals }: Pick<Worker, 'signals'>, log: Logger): () => void {
  const offs = [
    signals.on('workerReady', ({ hostname }) => log.info(`${hostname} ready.`)),
    signals.on('consumerReady', ({ recovered, queues }) => {
      if (recovered) log.info(`consuming again: ${queues.join(', ')}`)
    }),
    signals.on('consumerInterrupted', ({ error }) =>
      log.warn(`consuming was interrupted, trying again: ${error.message}`),
    ),
    signals.on('taskEnded', ({ report }) => logReport(report, log)),
    signals.on('taskRevoked', ({ id, task, why }) =>
      log.info(why === 'expired' ? `Task ${task}[${id}] expired` : `Task ${task}[${id}] revoked`),
    ),
    signals.on('taskLost', ({ id, task, why, again }) =>
      log.error(`Task ${task}[${id}] lost: ${why}${again ? '; it will be run again' : ''}`),
    ),
    signals.on('messageParked', ({ queue, parkedIn, reason, id, task }) =>
      log.error(
        `A message of '${queue}' was put aside in '${parkedIn}'${task ? ` (${task}[${id}])` : ''}: ${reason}`,
      ),
    ),
    signals.on('workerStopping', ({ how }) =>
      log.info(how === 'warm' ? 'stopping: finishing what runs' : 'stopping at once'),
    ),
    signals.on('workerStopped', () => log.info('stopped')),
  ]
  // Sentences nobody reads are not made: at full speed they would cost as much as the tasks.
  if (log.isEnabled('info')) {
    offs.push(
      signals.on('taskHeld', ({ id, task, untilMs }) =>
        log.info(`Task ${task}[${id}] held until ${new Date(untilMs).toISOString()}`),
      ),
      signals.on('taskReceived', ({ id, task }) => log.info(`Task ${task}[${id}] received`)),
    )
  }
  return () => {
    for (const off of offs) off()
  }
}

function logReport(report: ExecutionReport, log: Logger): void {
  if (report.state !== 'FAILURE' && !log.isEnabled('info')) return
  const name = `Task ${report.task}[${report.id}]`
  const seconds = `${report.runtime.toFixed(3)}s`
  switch (report.state) {
    case 'SUCCESS':
      return log.info(`${name} succeeded in ${seconds}: ${report.summary}`)
    case 'RETRY':
      return log.info(`${name} retry ${retryTime(report)}: ${report.summary}`)
    case 'IGNORED':
      return log.info(`${name} ignored`)
    case 'REJECTED':
      return log.info(`${name} rejected: ${report.summary}`)
    case 'FAILURE':
      if (report.expected) return log.info(`${name} raised expected: ${report.summary}`)
      return log.error(
        `${name} raised unexpected: ${report.summary}${report.traceback ? `\n${report.traceback.trimEnd()}` : ''}`,
      )
  }
}

function retryTime({ retryAtMs }: ExecutionReport): string {
  const seconds = retryAtMs === undefined ? 0 : Math.max(0, (retryAtMs - Date.now()) / 1000)
  return `in ${seconds.toFixed(seconds < 10 ? 1 : 0)}s`
}
