/** What long workflows cost the compiler: types it has to make, which is the same on every machine. */
import { beforeAll, expect, it } from '@jest/globals'
import { compile } from './compile.ts'

const times = (count: number, text: string): string => `${text}, `.repeat(count)

/** Tasks of 50 different types, each taking what the one before it gives. */
const kinds = Array.from({ length: 50 }, (_, n) => {
  return `const t${n} = task('t${n}', (x: { k${n}: number }, y: string) => ({ k${n + 1}: x.k${n}, y }))`
}).join('\n')
const kindSteps = Array.from({ length: 50 }, (_, n) =>
  n === 0 ? "t0.s({ k0: 1 }, 'y')" : `t${n}.s('y')`,
)
const kindMembers = Array.from({ length: 50 }, (_, n) => `t${n}.s({ k${n}: 1 }, 'y')`)

/** The programs, and how many types each may take beyond those of an empty one. */
const programs: readonly (readonly [name: string, most: number, code: string])[] = [
  ['a chain of 50 steps', 4500, `void chain(add.s(1, 2), ${times(49, 'add.s(1)')})`],
  ['a group of 100 members', 7000, `void group(${times(99, 'add.s(1, 2)')} upper.s('a'))`],
  ['30 steps by pipe', 1500, `void add.s(1, 2)${'.pipe(add.s(1))'.repeat(30)}`],
  ['a chain of 50 kinds', 45_000, `${kinds}\nvoid chain(${kindSteps.join()})`],
  ['a group of 50 kinds', 45_000, `${kinds}\nvoid group(${kindMembers.join()})`],
]

const imports = `
import { chain, chord, group } from '../../../src/index.ts'
import { task } from '../front.ts'
import { add, sum, upper } from '../tasks.ts'
void [chain, chord, group, task, add, sum, upper]
export {}
`

const effortOf = (code: string): number => {
  const { instantiations, messages } = compile(new Map([['program', `${imports}${code}\n`]]))
  expect([...messages.values()]).toEqual([])
  return instantiations
}

let nothing = 0
beforeAll(() => {
  nothing = effortOf('')
}, 60_000)

it.each(programs)(
  '%s',
  (_name, most, code) => {
    const effort = effortOf(code) - nothing
    expect(effort).toBeGreaterThan(0)
    expect(effort).toBeLessThan(most)
  },
  60_000,
)
