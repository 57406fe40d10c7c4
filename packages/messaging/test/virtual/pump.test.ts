import { expect, it } from '@jest/globals'
import { Pump, type PumpSource } from '../../src/virtual/pump.ts'
import type { Taken } from '../../src/virtual/store.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A store of one queue that counts what it is asked. */
function source(rests: boolean) {
  const asked: string[] = []
  let waiting: Taken[] = []
  let wake: () => void = () => undefined
  const made: PumpSource = {
    async take(_queues, max) {
      asked.push('take')
      return waiting.splice(0, max)
    },
    ...(rests && { isResting: () => waiting.length === 0 && asked.length > 0 }),
    wait(_queues, signal) {
      asked.push('wait')
      return new Promise((resolve) => {
        wake = resolve
        signal.addEventListener('abort', () => resolve(), { once: true })
      })
    },
  }
  const put = (receipt: string): void => {
    waiting = [...waiting, { receipt, queue: 'q', text: '' }]
    wake()
  }
  return { made, asked, put }
}

async function pumped(rests: boolean) {
  const { made, asked, put } = source(rests)
  const taken: string[] = []
  const pump = new Pump(
    made,
    () => 10,
    (batch) => taken.push(...batch.map(({ receipt }) => receipt)),
    (error) => expect(error).toBeUndefined(),
  )
  put('a')
  pump.setQueues(['q'])
  await turn()
  put('b')
  await turn()
  await pump.stop()
  return { asked, taken }
}

it('takes until there is nothing, then waits', async () => {
  const { asked, taken } = await pumped(false)

  expect(taken).toEqual(['a', 'b'])
  expect(asked).toEqual(['take', 'take', 'wait', 'take', 'take', 'wait'])
})

it('waits at once where the store knows that it left nothing', async () => {
  const { asked, taken } = await pumped(true)

  expect(taken).toEqual(['a', 'b'])
  expect(asked).toEqual(['take', 'wait', 'take', 'wait'])
})
