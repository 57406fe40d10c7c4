import { describe, expect, it } from '@jest/globals'
import { slotOf } from '../../src/transports/redis/slots.ts'

describe('the slot of a key', () => {
  it.each([
    ['123456789', 12739],
    ['foo', 12182],
    ['', 0],
  ])('of %j is %i', (key, slot) => {
    expect(slotOf(key)).toBe(slot)
  })

  it('is that of what stands in the first braces', () => {
    expect(slotOf('{queue}:unacked')).toBe(slotOf('queue'))
    expect(slotOf('prefix{queue}{other}')).toBe(slotOf('queue'))
    expect(slotOf('{a}b}')).toBe(slotOf('a'))
  })

  it('is that of the whole key when the braces hold nothing', () => {
    expect(slotOf('{}queue')).not.toBe(slotOf(''))
    expect(slotOf('queue{')).not.toBe(slotOf('queue'))
  })

  it('counts the bytes of a name, not its letters', () => {
    expect(slotOf('\u00fc')).not.toBe(slotOf('\u00fd'))
  })
})
