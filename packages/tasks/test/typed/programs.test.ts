/**
 * Every program in programs/: those that must compile do, those that must not are refused with the pinned
 * message. `UPDATE_TYPES=1` pins the messages of now; read what changed before you commit it.
 */
import { beforeAll, describe, expect, it } from '@jest/globals'
import { compile, fileOf, pinMessages, readPrograms, type Compiled } from './compile.ts'

const programs = readPrograms()
const title = ({ topic, name }: (typeof programs)[number]): string => `${topic}: ${name}`
const fileName = (index: number): string => `program-${index}`

let compiled: Compiled
beforeAll(() => {
  compiled = compile(new Map(programs.map((one, index) => [fileName(index), fileOf(one)])))
  if (process.env['UPDATE_TYPES'] !== '1') return
  const said = programs.map((one, index) => [title(one), compiled.messages.get(fileName(index))])
  pinMessages(new Map(said.filter((one): one is [string, string] => one[1] !== undefined)))
}, 150_000)

it('no two programs have the same name, and there are enough of each kind', () => {
  expect(new Set(programs.map(title)).size).toBe(programs.length)
  expect(programs.filter(({ expected }) => expected === 'compiles').length).toBeGreaterThan(149)
  expect(programs.filter(({ expected }) => expected === 'refused').length).toBeGreaterThan(149)
})

describe.each(['compiles', 'refused'] as const)('%s', (expected) => {
  const rows = programs
    .map((one, index) => ({ name: title(one), one, file: fileName(index) }))
    .filter(({ one }) => one.expected === expected)

  it.each(rows)('$name', ({ one, file }) => {
    const message = compiled.messages.get(file)
    if (expected === 'compiles') expect(message).toBeUndefined()
    else {
      expect(message).toBeDefined()
      if (process.env['UPDATE_TYPES'] !== '1') expect(message).toBe(one.message)
    }
  })
})
