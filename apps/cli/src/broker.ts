/** The broker at the start of a long-running command: wait for it, say what happens to the link. */
import type { Logger } from '@celeriac/tasks/internal'
import type { Services } from './load-app.ts'

/** Writes what happens to the connection. */
export function logConnection({ connection }: Services, log: Logger): void {
  const urls = connection.urls.join(' or ')
  const what = { any: 'the broker', publish: 'the broker, to publish' } as const
  connection.signals.on('connected', ({ url, server, recovered, purpose }) => {
    // The second link is nobody's business while all is well.
    if (purpose === 'any' || recovered)
      log.info(`${recovered ? 'connected again' : 'connected'} to ${url} (${server})`)
  })
  connection.signals.on('disconnected', ({ error, purpose }) =>
    log.warn(`the connection to ${what[purpose]} is lost: ${error.message}`),
  )
  connection.signals.on('retrying', ({ error, attempt }) =>
    log.warn(`cannot connect to ${urls}: ${error.message}; trying again (attempt ${attempt})`),
  )
  connection.signals.on('blocked', ({ reason }) =>
    log.warn(`the broker takes no messages for now (${reason}); sends wait for their deadline`),
  )
  connection.signals.on('unblocked', () => log.info('the broker takes messages again'))
}

/**
 * Resolves when the broker can be reached or `stop` aborts. Tries again as the settings say; rejects when it
 * may not, or when the broker refuses for good.
 */
export async function reachBroker(services: Services, stop: AbortSignal): Promise<void> {
  const { connection, config } = services
  const { brokerConnectionRetry, brokerConnectionRetryOnStartup: onStartup } = config
  if (!(onStartup ?? brokerConnectionRetry)) {
    await connection.connect()
    return
  }
  const enough = new AbortController()
  const most = config.brokerConnectionMaxRetries || Infinity
  let last: Error | undefined
  const off = connection.signals.on('retrying', ({ error, attempt }) => {
    last = error
    if (attempt > most) enough.abort()
  })
  try {
    await (await connection.channel(AbortSignal.any([stop, enough.signal]))).close()
  } catch (error) {
    if (stop.aborted) return
    throw enough.signal.aborted ? (last ?? error) : error
  } finally {
    off()
  }
}
