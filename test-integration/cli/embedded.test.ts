// Workers, calls and results with nothing but a folder: the broker is a file there.
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterEach, describe, expect, it } from '@jest/globals'
import { appFile, celeriac, cleanUp, folder, Run, startWorker } from './celeriac.ts'

afterEach(cleanUp)

const call = (cwd: string, ...words: string[]) =>
  celeriac(['-A', appFile, 'call', ...words], { cwd })

describe('call and result', () => {
  it('prints the result of a task that ran in a child process', async () => {
    const cwd = folder()
    const worker = await startWorker(['-P', 'processes', '-c', '2'], { cwd })

    const added = await call(cwd, 'tried.add', '--args', '[2, 3]', '--wait')
    const by = await call(cwd, 'tried.add', '-k', '{"x": 40, "y": 2}', '--wait', '-q')
    const pid = await call(cwd, 'tried.pid', '--wait')
    const written = await call(cwd, 'tried.write', '--wait')

    expect(added).toMatchObject({ code: 0, stdout: '5\n' })
    expect(added.stderr).toMatch(/^[\da-f-]{36}\n$/)
    expect(by).toEqual({ code: 0, stdout: '42\n', stderr: '' })
    await worker.until(/from inside/)
    expect(written.stdout).toBe('"written"\n')
    expect(worker.stderr).toMatch(
      new RegExp(`INFO/PoolWorker-\\d+\\] tried\\.write\\[.*\\]: from inside`),
    )
    expect(worker.stderr).toMatch(/tried\.pid\[.*succeeded/)
    expect(Number(pid.stdout)).not.toBe(worker.pid)
    expect(await worker.stop()).toEqual({ code: 0, signal: null })
  })

  it('tells failure, lateness and what nobody knows by exit code and text', async () => {
    const cwd = folder()
    const worker = await startWorker(['-P', 'async'], { cwd })

    const failed = await call(cwd, 'tried.fail', '--wait')
    const late = await call(cwd, 'tried.sleep', '-a', '[5]', '--wait', '--timeout', '0.3')
    const id = failed.stderr.split('\n')[0]!
    const result = (...words: string[]) => celeriac(['-A', appFile, 'result', ...words], { cwd })
    const again = await result(id, '-t', 'tried.fail')
    const trace = await result(id, '--traceback')
    const running = await result(late.stderr.split('\n')[0]!)
    const unknown = await result('nobody')

    expect(failed).toMatchObject({ code: 1, stdout: '' })
    expect(failed.stderr).toMatch(
      /error: task tried\.fail\[.*failed: .*out of cheese \[TASKS_FAILED\]/,
    )
    expect(late.code).toBe(1)
    expect(late.stderr).toMatch(/within 0\.3 s \[TASKS_TIMEOUT\]/)
    expect(again).toMatchObject({ code: 1, stderr: expect.stringMatching(/out of cheese/) })
    expect(trace).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Traceback[^]*app\.ts/) })
    expect(running.code).toBe(1)
    expect(unknown).toMatchObject({ code: 1, stderr: expect.stringMatching(/state is PENDING/) })
    worker.signal('SIGQUIT')
    expect(await worker.exited).toEqual({ code: 0, signal: null })
  })

  it('waits for a result that is sent later, and prints it once more', async () => {
    const cwd = folder()
    const sent = await call(cwd, 'tried.add', '-a', '[1, 1]')
    const id = sent.stdout.trim()
    const waiting = new Run(['-A', appFile, 'result', id, '--wait', '--timeout', '30'], { cwd })
    const worker = await startWorker(['-P', 'solo'], { cwd })

    expect(await waiting.exited).toEqual({ code: 0, signal: null })
    expect(waiting.stdout).toBe('2\n')
    expect(await celeriac(['result', id], { cwd })).toMatchObject({ code: 0, stdout: '2\n' })
    expect(await worker.stop()).toEqual({ code: 0, signal: null })
  })

  it('warns of a task that the app does not have, and sends it all the same', async () => {
    const { code, stdout, stderr } = await call(folder(), 'tried.ad')

    expect(code).toBe(0)
    expect(stdout).toMatch(/^[\da-f-]{36}\n$/)
    expect(stderr).toMatch(/^warning: .*Did you mean 'tried\.add'\?\n$/)
  })
})

describe('memory, which no other process can see', () => {
  it('does not wait in silence for what cannot come', async () => {
    const args = ['-A', appFile, '-b', 'memory://', 'call', 'tried.add', '--wait']
    const { code, stderr } = await celeriac(args)

    expect(code).toBe(1)
    expect(stderr).toMatch(/error: waiting for what cannot come.*CLI_STUCK/)
  })
})

describe('the end of a worker', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('finishes what runs after %s', async (name) => {
    const cwd = folder()
    const worker = await startWorker(['-P', 'processes', '-c', '1'], { cwd })
    await call(cwd, 'tried.sleep', '-a', '[1.5]')
    await worker.until(/tried\.sleep\[.*received/)

    worker.signal(name)

    expect(await worker.exited).toEqual({ code: 0, signal: null })
    expect(worker.stderr).toMatch(/tried\.sleep\[.*succeeded/)
  })

  it('ends at once after the second SIGINT, and the task runs again elsewhere', async () => {
    const cwd = folder()
    const worker = await startWorker(['-P', 'processes', '-c', '1'], { cwd })
    await call(cwd, 'tried.sleep', '-a', '[2]')
    await worker.until(/tried\.sleep\[.*received/)

    worker.signal('SIGINT')
    await worker.until(/once more to end at once/)
    worker.signal('SIGINT')
    expect(await worker.exited).toEqual({ code: 0, signal: null })

    expect(worker.stderr).not.toMatch(/succeeded/)
    const next = await startWorker(['-P', 'processes', '-c', '1'], { cwd })
    await next.until(/tried\.sleep\[.*succeeded/)
    expect(await next.stop()).toEqual({ code: 0, signal: null })
  })

  it('hands a task back when the grace is over', async () => {
    const cwd = folder()
    const worker = await startWorker(['-P', 'processes', '-c', '1', '--shutdown-grace', '0.2'], {
      cwd,
    })
    await call(cwd, 'tried.sleep', '-a', '[30]')
    await worker.until(/tried\.sleep\[.*received/)
    const before = Date.now()

    expect(await worker.stop()).toEqual({ code: 0, signal: null })

    expect(Date.now() - before).toBeLessThan(10_000)
  })

  it('ends with 1 after an exception that nobody caught', async () => {
    const cwd = folder()
    const worker = await startWorker(['-P', 'async'], { cwd })

    await call(cwd, 'tried.stray')

    expect(await worker.exited).toEqual({ code: 1, signal: null })
    expect(worker.stderr).toMatch(/caught by nobody.*nobody catches this/)
  })
})

describe('files and folders of a worker', () => {
  it('loads TypeScript where no package.json says that it is an ES module', async () => {
    const cwd = folder()
    cpSync(appFile, path.join(cwd, 'app.ts'))
    writeFileSync(path.join(cwd, 'package.json'), '{"type": "commonjs"}')
    mkdirSync(path.join(cwd, 'node_modules'))
    const scope = path.resolve(import.meta.dirname, '../../node_modules/@celeriac')
    symlinkSync(scope, path.join(cwd, 'node_modules/@celeriac'))
    const worker = new Run(['-A', 'app', 'worker', '-l', 'info', '-P', 'prefork', '-c', '1'], {
      cwd,
    })
    await worker.until(/ ready\./)

    const { code, stdout } = await celeriac(
      ['-A', 'app', 'call', 'tried.add', '-a', '[2, 3]', '--wait'],
      {
        cwd,
      },
    )

    expect({ code, stdout }).toEqual({ code: 0, stdout: '5\n' })
    expect(await worker.stop()).toEqual({ code: 0, signal: null })
  })

  it('writes its log and its process id where it is told to', async () => {
    const cwd = folder()
    const files = ['-f', '%n.log', '--pidfile', '%n.pid', '-n', 'w1@%h']
    const args = ['-A', appFile, 'worker', '-l', 'info', '-P', 'solo', ...files]
    const worker = new Run(args, { cwd })
    await worker.until(/\[tasks\]/)
    await waitFor(() => existsSync(path.join(cwd, 'w1.log')) && logOf(cwd).includes('ready.'))

    const second = await celeriac(args, { cwd })

    expect(second).toMatchObject({ code: 2, stderr: expect.stringMatching(/CLI_PIDFILE_EXISTS/) })
    expect(await worker.stop()).toEqual({ code: 0, signal: null })
    expect(existsSync(path.join(cwd, 'w1.pid'))).toBe(false)
    expect(logOf(cwd)).toMatch(/^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}: INFO\/MainProcess\] /)
    expect(worker.stderr).toBe('')
  })

  it('removes what waits when it is told to, and imports what -I names', async () => {
    const cwd = folder()
    await call(cwd, 'tried.sleep', '-a', '[60]')
    writeFileSync(
      path.join(cwd, 'more.ts'),
      `import { app } from ${JSON.stringify(appFile)}\nexport const one = app.task('more.one', (): number => 1)\n`,
    )
    const worker = await startWorker(['--purge', '-I', 'more', '-P', 'processes', '-c', '1'], {
      cwd,
    })

    const one = await call(cwd, 'more.one', '--wait')

    expect(worker.stdout).toMatch(/ {2}\. more\.one\n/)
    expect(worker.stderr).toMatch(/removed 1 waiting message/)
    expect(one.stdout).toBe('1\n')
    expect(await worker.stop()).toEqual({ code: 0, signal: null })
  })
})

describe('beat', () => {
  it('sends what is due, until it is stopped', async () => {
    const cwd = folder()
    const beat = new Run(['-A', appFile, 'beat', '-l', 'info', '-s', 'kept.json'], { cwd })
    const worker = await startWorker(['-P', 'solo'], { cwd })

    await worker.until(/tried\.add\[.*succeeded in .*: 42/)

    expect(beat.stderr).toMatch(/beat: sent often \(tried\.add\[/)
    expect(await beat.stop()).toEqual({ code: 0, signal: null })
    expect(existsSync(path.join(cwd, 'kept.json'))).toBe(true)
    expect(await worker.stop()).toEqual({ code: 0, signal: null })
  })

  it('runs inside a worker with -B', async () => {
    const worker = await startWorker(['-P', 'async', '-B'], { cwd: folder() })

    await worker.until(/beat: sent often[^]*tried\.add\[.*succeeded in .*: 42/)

    expect(await worker.stop()).toEqual({ code: 0, signal: null })
  })
})

function logOf(cwd: string): string {
  return readFileSync(path.join(cwd, 'w1.log'), 'utf8')
}

async function waitFor(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 20))
}
