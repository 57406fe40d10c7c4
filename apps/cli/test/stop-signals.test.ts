// Which signal ends how.
import { afterEach, expect, it } from '@jest/globals'
import { listenForStop, stopText, type StopSignals } from '../src/stop-signals.ts'

let stop: StopSignals
afterEach(() => stop.off())

function after(...names: NodeJS.Signals[]): string {
  stop = listenForStop(() => {})
  for (const name of names) process.emit(name, name)
  return stop.cold.aborted ? 'cold' : stop.warm.aborted ? 'warm' : 'going on'
}

it.each<[NodeJS.Signals[], string]>([
  [[], 'going on'],
  [['SIGTERM'], 'warm'],
  [['SIGTERM', 'SIGTERM'], 'warm'],
  [['SIGINT'], 'warm'],
  [['SIGINT', 'SIGINT'], 'cold'],
  [['SIGTERM', 'SIGINT'], 'cold'],
  [['SIGQUIT'], 'cold'],
])('%p: %s', (names, how) => {
  expect(after(...names)).toBe(how)
})

it('can be ended from within, and listens no longer after off', () => {
  stop = listenForStop(() => {})
  stop.end()
  expect(stop.warm.aborted).toBe(true)

  const before = process.listenerCount('SIGTERM')
  stop.off()
  expect(process.listenerCount('SIGTERM')).toBe(before - 1)
})

it('says what happens', () => {
  expect(stopText('SIGINT', 'warm')).toMatch(/once more to end at once/)
  expect(stopText('SIGTERM', 'warm')).not.toMatch(/once more/)
  expect(stopText('SIGQUIT', 'cold')).toMatch(/at once/)
})
