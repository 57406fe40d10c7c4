// Options that are settings, global ones, and those that are refused.
import { describe, expect, it } from '@jest/globals'
import { Command as Parser } from 'commander'
import {
  addGlobals,
  addRefused,
  addSettings,
  commaList,
  globalsOf,
  secondsArgument,
  settingsOf,
} from '../src/flags.ts'

const flags = {
  workerConcurrency: '-c, --concurrency <n>',
  taskTimeLimit: '--time-limit <s>',
} as const

function parse(define: (parser: Parser) => void, line: string): Record<string, unknown> {
  const parser = new Parser().exitOverride().configureOutput({ writeErr: () => {} })
  define(parser)
  return parser.parse(line.split(' '), { from: 'user' }).opts()
}

describe('settings as options', () => {
  it('gives what was given, and nothing else', () => {
    const options = parse((parser) => addSettings(parser, flags), '-c 3')

    expect(settingsOf(flags, options)).toEqual({ workerConcurrency: 3 })
  })

  it('refuses what the setting refuses', () => {
    const add = (parser: Parser): void => addSettings(parser, flags)

    expect(() => parse(add, '--concurrency 0')).toThrow(/Expected a whole number of at least 1/)
    expect(() => parse(add, '--time-limit soon')).toThrow(/Expected a number of seconds/)
  })

  it('takes its help from the table of settings', () => {
    const parser = new Parser()
    addSettings(parser, flags)

    expect(parser.helpInformation()).toMatch(/-c, --concurrency <n> +tasks at once/)
  })
})

describe('global options', () => {
  const read = (line: string, env = {}) => globalsOf(parse(addGlobals, line), env)

  it('reads them, with the environment behind them', () => {
    expect(read('-A x -b redis://h --result-backend y -q')).toEqual({
      app: 'x',
      config: undefined,
      settings: { brokerUrl: 'redis://h', resultBackend: 'y' },
      color: true,
      quiet: true,
      verbose: false,
    })
    expect(read('-q', { CELERY_APP: 'z' }).app).toBe('z')
    expect(read('-A x', { CELERY_APP: 'z' }).app).toBe('x')
  })

  it('has colours unless somebody says no', () => {
    expect(read('-q').color).toBe(true)
    expect(read('-C').color).toBe(false)
    expect(read('-q', { NO_COLOR: '1' }).color).toBe(false)
    expect(read('-q', { NO_COLOR: '' }).color).toBe(true)
  })
})

describe('refused options', () => {
  it.each(['-D', '--detach', '--autoscale 3,1', '--autoscale=3,1', '-qD'])('%s', (line) => {
    const define = (parser: Parser): void => {
      parser.option('-q')
      addRefused(parser, ['-D, --detach', '--autoscale <max,min>'])
    }

    expect(() => parse(define, line)).toThrow(
      /the option (-D, --detach|--autoscale) is not supported/,
    )
    expect(new Parser().helpInformation()).not.toMatch(/detach/)
  })
})

it('reads lists and seconds', () => {
  expect(commaList('a, b,,c', ['z'])).toEqual(['z', 'a', 'b', 'c'])
  expect(secondsArgument('1.5')).toBe(1.5)
  expect(() => secondsArgument('-1')).toThrow(/0 or more/)
  expect(() => secondsArgument('')).toThrow(/0 or more/)
})
