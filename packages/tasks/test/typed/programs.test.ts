/**
 * Every program in programs/: those that must compile do, those that must not are refused with the pinned
 * message. `UPDATE_TYPES=1` pins the messages of now; read what changed before you commit it.
 */
import { beforeAll, expect, it } from '@jest/globals'
import { compile, fileOf, pinMessages, readPrograms, type Compiled } from './compile.ts'

const programs = readPrograms()
const title = ({ topic, name }: (typeof programs)[number]): string => `${topic}: ${name}`
const fileName = (index: number): string => `program-${index}`

let compiled: Compiled
let pins: ReadonlyMap<string, string | undefined>
beforeAll(() => {
  compiled = compile(new Map(programs.map((one, index) => [fileName(index), fileOf(one)])))
  if (process.env['UPDATE_TYPES'] === '1') {
    const said = programs.map((one, index) => [title(one), compiled.messages.get(fileName(index))])
    pinMessages(new Map(said.filter((one): one is [string, string] => one[1] !== undefined)))
  }
  pins = new Map(readPrograms().map((one) => [title(one), one.message]))
}, 150_000)

it('no two programs have the same name, and there are enough of each kind', () => {
  expect(new Set(programs.map(title)).size).toBe(programs.length)
  expect(programs.filter(({ expected }) => expected === 'compiles').length).toBeGreaterThan(149)
  expect(programs.filter(({ expected }) => expected === 'refused').length).toBeGreaterThan(149)
})

const rows = programs.map((one, index) => ({ ...one, name: title(one), file: fileName(index) }))

it.each(rows.filter(({ expected }) => expected === 'compiles'))('compiles $name', ({ file }) => {
  expect(compiled.messages.get(file)).toBeUndefined()
})

it.each(rows.filter(({ expected }) => expected === 'refused'))(
  'refused $name',
  ({ name, file }) => {
    expect(compiled.messages.get(file)).toBeDefined()
    expect(compiled.messages.get(file)).toBe(pins.get(name))
  },
)
