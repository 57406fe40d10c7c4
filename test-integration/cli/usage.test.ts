// What the command line refuses, with which words and which exit code.
import path from 'node:path'
import { writeFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from '@jest/globals'
import { appFile, celeriac, cleanUp, folder } from './celeriac.ts'

afterEach(cleanUp)

const A = ['-A', appFile]

describe('mistakes on the command line', () => {
  const mistakes: readonly (readonly [what: string, args: readonly string[], text: RegExp])[] = [
    ['a mistyped command', ['wroker'], /no command 'wroker'.*'worker'.*CLI_UNKNOWN_COMMAND/],
    ['a command of Celery', ['inspect', 'ping'], /'inspect' is not supported yet/],
    ['a mistyped option', [...A, 'worker', '--concurency', '2'], /Did you mean --concurrency/],
    ['a mistyped pool', [...A, 'worker', '-P', 'procceses'], /Did you mean 'processes'/],
    ['a mistyped level', [...A, 'worker', '-l', 'imfo'], /Did you mean 'info'/],
    ['a number that is none', [...A, 'worker', '-c', 'many'], /whole number/],
    ['-D', [...A, 'worker', '-D'], /-D, --detach is not supported yet/],
    ['-E', [...A, 'worker', '-E'], /-E, --task-events is not supported yet/],
    ['--autoscale', [...A, 'worker', '--autoscale', '3,1'], /--autoscale is not supported yet/],
    ['a sign that means nothing', [...A, 'worker', '-n', 'a@%z'], /'%z'.*means nothing/],
    ['a worker without an app', ['worker'], /which app\?.*CLI_NO_APP/],
    [
      'a module that is not there',
      ['-A', 'nope', 'worker'],
      /no module 'nope'.*TASKS_APP_NOT_FOUND/,
    ],
    ['an export that is not there', ['-A', `${appFile}:other`, 'worker'], /no app 'other'/],
    ['no task to call', [...A, 'call'], /missing required argument 'name'/],
    ['arguments that are no JSON', [...A, 'call', 'x', '-a', '[1'], /--args is not JSON/],
    ['arguments that are no list', [...A, 'call', 'x', '-a', '5'], /--args must be a JSON array/],
    [
      'kwargs that are no mapping',
      [...A, 'call', 'x', '-k', '[]'],
      /--kwargs must be a JSON object/,
    ],
    ['a time that is none', [...A, 'call', 'x', '--eta', 'soon'], /--eta: expected a time/],
    [
      'waiting where nothing is kept',
      ['-b', 'redis://localhost', 'call', 'x', '--wait'],
      /CLI_NO_RESULTS/,
    ],
    ['a thing that cannot be listed', [...A, 'list', 'taks'], /Did you mean 'tasks'/],
    ['a folder that is not there', ['--workdir', '/no/such', 'list', 'queues'], /'\/no\/such'/],
  ]

  it.each(mistakes)('refuses %s', async (_, args, text) => {
    const { code, stdout, stderr } = await celeriac(args)

    expect(stderr).toMatch(/^error: /)
    expect(stderr).toMatch(text)
    expect(stderr).not.toMatch(/\n\s+at /)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  })

  it('names a mistyped setting of the app, and of the environment', async () => {
    const cwd = folder()
    writeFileSync(path.join(cwd, 'celeryconfig.json'), '{"taskAckLate": true}')

    const file = await celeriac(['list', 'queues'], { cwd })
    const variable = await celeriac(['list', 'queues'], { env: { CELERY_TASK_ACKS_LATE: 'maybe' } })

    expect(file).toMatchObject({ code: 2, stderr: expect.stringMatching(/'taskAcksLate'/) })
    expect(variable).toMatchObject({ code: 2, stderr: expect.stringMatching(/true or false/) })
  })

  it('says where a module that throws does so, and shows the stack when asked', async () => {
    const cwd = folder()
    writeFileSync(path.join(cwd, 'broken.ts'), "throw new Error('not today' as string)\n")

    const short = await celeriac(['-A', 'broken', 'list', 'tasks'], { cwd })
    const long = await celeriac(['-A', 'broken', 'list', 'tasks', '--verbose'], { cwd })

    expect(short.code).toBe(2)
    expect(short.stderr).toMatch(/cannot be loaded: Error: not today\n {2}at .*broken\.ts:1/)
    expect(short.stderr.trimEnd().split('\n')).toHaveLength(2)
    expect(long.stderr).toMatch(/caused by:\nError: not today\n/)
  })
})

describe('what does not need a broker', () => {
  it('prints its version, and a list of commands', async () => {
    const version = await celeriac(['--version'])
    const help = await celeriac(['--help'])
    const nothing = await celeriac([])

    expect(version).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
    expect(help).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringMatching(/ {2}worker /),
    })
    expect(nothing).toMatchObject({ code: 2, stdout: '', stderr: help.stdout })
  })

  it.each(['worker', 'beat', 'call', 'result', 'list'])(
    'explains %s with examples',
    async (name) => {
      const { code, stdout, stderr } = await celeriac([name, '--help'])

      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(stdout).toMatch(new RegExp(`Usage: celeriac ${name}`))
      expect(stdout).toMatch(/Global options:\n\s+-A, --app/)
      expect(stdout).toMatch(/Examples:\n {2}celeriac /)
    },
  )

  it('lists tasks and queues, with global options on either side', async () => {
    const tasks = await celeriac(['list', 'tasks', '-A', appFile])
    const env = { CELERY_APP: appFile, CELERY_TASK_DEFAULT_QUEUE: 'mine' }
    const queues = await celeriac(['list', 'queues'], { env })

    const names = ['add', 'fail', 'pid', 'sleep', 'stray', 'write'].map((name) => `tried.${name}`)
    expect(tasks).toEqual({ code: 0, stdout: `${names.join('\n')}\n`, stderr: '' })
    expect(queues).toEqual({
      code: 0,
      stdout: 'mine  exchange=mine (direct)  key=mine\n',
      stderr: '',
    })
  })

  it('says that bindings cannot be listed', async () => {
    const { code, stderr } = await celeriac(['list', 'bindings'])

    expect(code).toBe(1)
    expect(stderr).toMatch(/cannot be listed.*TASKS_NOT_SUPPORTED/)
  })
})
