// How errors are shown, and which exit code they lead to.
import { expect, it } from '@jest/globals'
import { ConfigError, TasksError } from '@celeriac/tasks'
import { errorText, exitCodeOf, UsageError } from '../src/errors.ts'

it.each([
  [new UsageError('x'), 2],
  [new ConfigError('TASKS_CONFIG_UNKNOWN', 'x'), 2],
  [new TasksError('TASKS_APP_NOT_FOUND', 'x'), 2],
  [new TasksError('TASKS_QUEUE_NOT_FOUND', 'x'), 2],
  [new TasksError('TASKS_TIMEOUT', 'x'), 1],
  [new Error('x'), 1],
  ['x', 1],
  [undefined, 1],
])('the exit code of %p is %i', (error, code) => {
  expect(exitCodeOf(error)).toBe(code)
})

it('shows text and code, and more only when asked', () => {
  const error = new UsageError('not so', 'CLI_USAGE', { cause: new Error('because') })

  expect(errorText(error)).toBe('error: not so [CLI_USAGE]')
  expect(errorText(error, true)).toMatch(/UsageError: not so\n +at [^]*caused by:\nError: because/)
  expect(errorText(new Error('plain'))).toBe('error: plain')
  expect(errorText('thrown text')).toBe('error: thrown text')
})
