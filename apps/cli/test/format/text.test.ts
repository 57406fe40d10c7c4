// Columns, JSON and the list of commands.
import { expect, it } from '@jest/globals'
import { commands } from '../../src/commands/index.ts'
import { jsonText } from '../../src/format/json.ts'
import { overview } from '../../src/format/overview.ts'
import { columns } from '../../src/format/table.ts'

it('aligns columns, the last one free', () => {
  expect(columns([['a', 'bb', 'c'], ['aaa', 'b', ''], []])).toBe('a    bb  c\naaa  b\n')
})

it.each([
  [5, '5'],
  [undefined, 'null'],
  [{ a: [1, 'x'] }, '{"a":[1,"x"]}'],
  [10n, '10'],
  [2n ** 80n, '"1208925819614629174706176"'],
  [-(2n ** 80n), '"-1208925819614629174706176"'],
  [new Map([['a', 1]]), '{"a":1}'],
  [new Set([1]), '[1]'],
  [Uint8Array.of(1, 2), '"AQI="'],
  [new Date(0), '"1970-01-01T00:00:00.000Z"'],
])('%p as JSON', (value, text) => {
  expect(jsonText(value)).toBe(text)
})

it('lists every command', () => {
  const text = overview()

  for (const name of Object.keys(commands))
    expect(text).toMatch(new RegExp(`^ {2}${name} +\\w`, 'm'))
})

it.each(Object.keys(commands))('%s can be loaded and has examples', async (name) => {
  const command = await commands[name]!.load()

  expect(command.examples.length).toBeGreaterThan(0)
  for (const [line] of command.examples) expect(line).toMatch(/^celeriac .*\b/)
})
