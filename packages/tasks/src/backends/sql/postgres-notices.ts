/**
 * Hears of results as they are stored: one channel, whose notices say the id of a task. It only makes waiting
 * short; what nobody tells of is found by looking.
 */
import type { Clock } from '@celeriac/messaging'
import type { PostgresLink } from '@celeriac/messaging/internal'
import type { Listening } from './dialect.ts'

/** On which ids of tasks are told whose record was stored here. */
export const resultsChannel = 'celeriac_results'

/** Between attempts to listen again. */
const pauseMs = 1000

export class PostgresNotices implements Listening {
  readonly #open: () => Promise<PostgresLink>
  readonly #clock: Clock
  readonly #onId: (id: string | undefined) => void
  #link: Promise<PostgresLink> | undefined
  #cancel: (() => void) | undefined
  #isClosed = false

  /** `onId` gets undefined when something may have been missed. */
  constructor(
    open: () => Promise<PostgresLink>,
    clock: Clock,
    onId: (id: string | undefined) => void,
  ) {
    this.#open = open
    this.#clock = clock
    this.#onId = onId
  }

  start(): void {
    if (this.#isClosed || this.#link || this.#cancel) return
    const opening = this.#listen()
    this.#link = opening
    const again = (): void => {
      this.#link = undefined
      if (this.#isClosed) return
      this.#cancel = this.#clock.after(
        pauseMs,
        () => {
          this.#cancel = undefined
          this.start()
        },
        { background: true },
      )
    }
    opening.then((link) => link.ended.then(again), again)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancel?.()
    const link = await this.#link?.catch(() => undefined)
    await link?.close()
  }

  async #listen(): Promise<PostgresLink> {
    const link = await this.#open()
    try {
      link.onNotification((channel, id) => {
        if (channel === resultsChannel) this.#onId(id)
      })
      await link.run({ text: `LISTEN ${resultsChannel}` })
      this.#onId(undefined)
      return link
    } catch (error) {
      link.hangUp()
      throw error
    }
  }
}
