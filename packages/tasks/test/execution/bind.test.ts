import { describe, expect, it } from '@jest/globals'
import { bindArguments, parameterNames } from '../../src/execution/bind.ts'

describe('bindArguments', () => {
  const cases: readonly [
    what: string,
    params: readonly string[] | undefined,
    args: unknown[],
    kwargs: Record<string, unknown>,
    bound: unknown[],
  ][] = [
    ['positional arguments as they are', ['x', 'y'], [1, 2], {}, [1, 2]],
    ['a keyword to its parameter', ['x', 'y'], [1], { y: 2 }, [1, 2]],
    ['all by keyword, in any order', ['x', 'y'], [], { y: 2, x: 1 }, [1, 2]],
    [
      'what is no parameter to the last one',
      ['x', 'options'],
      [1],
      { a: 1, b: 2 },
      [1, { a: 1, b: 2 }],
    ],
    ['some by name, the rest together', ['x', 'y', 'rest'], [1], { y: 2, z: 3 }, [1, 2, { z: 3 }]],
    ['the rest behind a rest parameter', ['x', '...more'], [1, 2], { z: 3 }, [1, 2, { z: 3 }]],
    ['the rest at the end where nothing is known', undefined, [1], { z: 3 }, [1, { z: 3 }]],
    ['a destructured parameter', ['x', '{}'], [1], { z: 3 }, [1, { z: 3 }]],
  ]
  it.each(cases)('binds %s', (_what, params, args, kwargs, bound) => {
    expect(bindArguments('t', params, args, kwargs)).toEqual(bound)
  })

  it('refuses an argument that is given twice', () => {
    expect(() => bindArguments('t', ['x'], [1], { x: 2 })).toThrow(
      expect.objectContaining({
        code: 'TASKS_ARGUMENTS_INVALID',
        message: expect.stringContaining("'x' was given twice"),
      }),
    )
  })

  it('refuses a keyword that has no place', () => {
    expect(() => bindArguments('t', ['x', 'y'], [1, 2], { z: 3 })).toThrow('no parameter takes')
    expect(() => bindArguments('t', [], [], { z: 3 })).toThrow('no parameter takes')
  })
})

describe('parameterNames', () => {
  const cases: readonly [source: string, names: readonly string[] | undefined][] = [
    ['(x, y) => x', ['x', 'y']],
    ['x => x', ['x']],
    ['async x => x', ['x']],
    ['async (x) => x', ['x']],
    ['function (x, y = 2) {}', ['x', 'y']],
    ['async function name(first, second) {}', ['first', 'second']],
    ['method(x) { return x }', ['x']],
    ['() => 1', []],
    ['(x, { a, b } = {}, ...rest) => x', ['x', '{}', '...rest']],
    ['(x = f(1, 2), y = "a,b", [z]) => x', ['x', 'y', '{}']],
    ['(x = `)`, y) => x', ['x', 'y']],
  ]
  it.each(cases)('reads %s', (source, names) => {
    expect(parameterNames(source)).toEqual(names)
  })
})
