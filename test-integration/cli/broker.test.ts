// A worker and its broker: passwords, refusals, and a server that is not there yet.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { describeWith, startPrivateRedis, type ControlledServer } from '../services/brokers.ts'
import { appFile, celeriac, cleanUp, Run, startWorker } from './celeriac.ts'

afterEach(cleanUp)

describe('a broker that cannot be used', () => {
  it('ends with 1 when nobody speaks its protocol', async () => {
    const { code, stderr } = await celeriac([
      '-A',
      appFile,
      'worker',
      '-b',
      'reddis://:pw@localhost',
    ])

    expect(code).toBe(1)
    expect(stderr).toMatch(/^error: .*Did you mean 'redis'.*MESSAGING_URL_INVALID/)
    expect(stderr).not.toMatch(/pw/)
  })
})

describeWith('redis', 'a server of one', () => {
  let server: ControlledServer

  beforeEach(async () => {
    server = await startPrivateRedis()
  })

  afterEach(async () => {
    await server.dispose()
  })

  const options = (url = server.url) => ({ env: { BROKER_URL: url, RESULT_BACKEND: url } })

  it('shows everything in the banner but the password', async () => {
    const url = server.url.replace('redis://', 'redis://:s3cret@')
    const worker = await startWorker(['-P', 'async', '-Q', 'mail,celery'], options(url))
    await worker.stop()

    expect(worker.output).not.toContain('s3cret')
    expect(worker.stdout).toMatch(/app: +tried/)
    expect(worker.stdout).toMatch(/transport: +redis:\/\/:\*+@127\.0\.0\.1/)
    expect(worker.stdout).toMatch(/results: +redis:\/\/:\*+@127\.0\.0\.1/)
    expect(worker.stdout).toMatch(/concurrency: +\d+ \(async\)/)
    expect(worker.stdout).toMatch(/mail +exchange=mail \(direct\) +key=mail/)
    expect(worker.stdout).toMatch(/ {2}\. tried\.add\n/)
  })

  it('ends with 1 when the password is wrong', async () => {
    const url = server.url.replace('redis://', 'redis://nobody:wr0ng@')
    const { code, stderr } = await celeriac(['-A', appFile, 'worker'], options(url))

    expect(code).toBe(1)
    expect(stderr).toMatch(/MESSAGING_AUTHENTICATION_FAILED/)
    expect(stderr).not.toMatch(/wr0ng/)
  })

  it('waits for a server that is down, saying so, and begins when it is up', async () => {
    await server.stop()
    const worker = new Run(['-A', appFile, 'worker', '-l', 'info', '-P', 'async'], options())
    await worker.until(/trying again \(attempt 3\)/)

    await server.start()
    await worker.until(/ ready\./)
    const { stdout } = await celeriac(['call', 'tried.add', '-a', '[2, 3]', '--wait'], options())

    expect(stdout).toBe('5\n')
    expect(await worker.stop()).toEqual({ code: 0, signal: null })
  })

  it('can be stopped while it waits', async () => {
    await server.stop()
    const worker = new Run(['-A', appFile, 'worker'], options())
    await worker.until(/trying again/)

    expect(await worker.stop()).toEqual({ code: 0, signal: null })
  })

  it('does not wait when it is told not to', async () => {
    await server.stop()
    const { env } = options()
    const given = { ...env, CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP: 'false' }

    const { code, stderr } = await celeriac(['-A', appFile, 'worker'], { env: given })

    expect(code).toBe(1)
    expect(stderr).toMatch(/^error: .*MESSAGING_CONNECT_FAILED/m)
  })

  it('goes on after the server was away', async () => {
    const worker = await startWorker(['-P', 'async'], options())
    await server.stop()
    await worker.until(/trying again/)
    await server.start()
    await worker.until(/connected again/)

    const { stdout } = await celeriac(['call', 'tried.add', '-a', '[2, 3]', '--wait'], options())

    expect(stdout).toBe('5\n')
    expect(await worker.stop()).toEqual({ code: 0, signal: null })
  })
})
