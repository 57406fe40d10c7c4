// Which word of a command line is the command.
import { describe, expect, it } from '@jest/globals'
import { findCommand } from '../src/find-command.ts'
import { globalsWithValue } from '../src/flags.ts'

const find = async (line: string) => await findCommand(line.split(' '), globalsWithValue)

describe('findCommand', () => {
  it.each([
    ['list tasks', 'list', 'tasks'],
    ['-A list list tasks', 'list', '-A list tasks'],
    ['-q --broker=redis://call -Acall call x', 'call', '-q --broker=redis://call -Acall x'],
    ['call -A worker x', 'call', '-A worker x'],
    ['help call', 'call', '--help'],
    ['-A x help worker', 'worker', '-A x --help'],
  ])('%s', async (line, name, rest) => {
    const found = await find(line)

    expect(found).toMatchObject({ kind: 'command', name, rest: rest.split(' ') })
  })

  it.each([
    ['--help', { kind: 'help', asked: true }],
    ['help', { kind: 'help', asked: true }],
    ['-A x', { kind: 'help', asked: false }],
    ['-q --version', { kind: 'version' }],
    ['-- worker', { kind: 'help', asked: false }],
  ])('%s is no command', async (line, expected) => {
    expect(await find(line)).toEqual(expected)
  })

  it('suggests a command, and knows those that are not here yet', async () => {
    await expect(find('cal x')).rejects.toMatchObject({
      code: 'CLI_UNKNOWN_COMMAND',
      message: expect.stringMatching(/Did you mean 'call'/),
    })
    await expect(find('multi start')).rejects.toMatchObject({ code: 'CLI_NOT_SUPPORTED' })
  })
})
