import { describe, expect, it } from '@jest/globals'
import { Signals } from '../../src/kernel/signals.ts'

interface Payloads {
  told: number
  other: string
}

describe('Signals', () => {
  it('tells everyone who listens to this name', () => {
    const signals = new Signals<Payloads>()
    const heard: unknown[] = []
    signals.on('told', (n) => heard.push(n))
    signals.on('told', (n) => heard.push(n * 10))
    signals.on('other', (text) => heard.push(text))

    signals.emit('told', 1)

    expect(heard).toEqual([1, 10])
  })

  it('stops telling who is off', () => {
    const signals = new Signals<Payloads>()
    const heard: number[] = []
    const off = signals.on('told', (n) => heard.push(n))
    expect(signals.has('told')).toBe(true)
    off()
    signals.emit('told', 1)

    expect(heard).toEqual([])
    expect(signals.has('told')).toBe(false)
  })

  it('is not harmed by a listener that throws', () => {
    const errors: unknown[] = []
    const signals = new Signals<Payloads>((error) => errors.push(error))
    const heard: number[] = []
    signals.on('told', () => {
      throw new Error('mine')
    })
    signals.on('told', (n) => heard.push(n))

    signals.emit('told', 1)

    expect(heard).toEqual([1])
    expect(errors).toHaveLength(1)
  })

  it('promises the next one, unless aborted first', async () => {
    const signals = new Signals<Payloads>()
    const next = signals.once('told')
    signals.emit('told', 1)
    signals.emit('told', 2)
    expect(await next).toBe(1)

    await expect(signals.once('told', AbortSignal.abort(new Error('enough')))).rejects.toThrow(
      'enough',
    )
    expect(signals.has('told')).toBe(false)
  })
})
