import { describe, expect, it } from '@jest/globals'
import { silentLogger } from '@celeriac/messaging'
import { Celeriac, currentApp, setCurrentApp, sharedTask } from '../../src/index.ts'

const makeApp = (): Celeriac =>
  new Celeriac('one', {
    broker: 'memory://shared',
    loadConfig: false,
    taskAlwaysEager: true,
    ambient: { log: silentLogger },
  })

describe('shared tasks', () => {
  it('are part of apps made before and after, and are sent through the current one', async () => {
    const before = makeApp()
    const double = sharedTask('shared.double', (x: number) => x * 2)
    const after = makeApp()

    expect(before.registry.names).toContain('shared.double')
    expect(after.registry.names).toContain('shared.double')
    expect(currentApp()).toBe(after)
    expect(double(4)).toBe(8)
    expect(double.name).toBe('shared.double')
    expect(double.app).toBe(after)
    expect(await (await double.delay(21)).get()).toBe(42)
    setCurrentApp(before)
    expect(double.app).toBe(before)
    expect(double.of(after).app).toBe(after)
    expect(await (await double.s(3).delay()).get()).toBe(6)
  })

  it('are shared once', () => {
    sharedTask('shared.once', () => 1)

    expect(() => sharedTask('shared.once', () => 2)).toThrow(/shared already/)
  })
})
