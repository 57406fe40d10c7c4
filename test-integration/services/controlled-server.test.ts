// The throw-away servers that outage tests rely on: they keep what was confirmed, come back on the same
// address, can be frozen, and leave nothing behind.
import fs from 'node:fs'
import { afterEach, expect, it } from '@jest/globals'
import { probeAmqp, probeMysql, probePostgres, probeRedis } from '../../scripts/services/index.mjs'
import {
  describeWith,
  startPrivateMariadb,
  startPrivatePostgres,
  startPrivateRabbit,
  startPrivateRedis,
  type ControlledServer,
} from './brokers.ts'

const running: ControlledServer[] = []

function tracked<T extends ControlledServer>(server: T): T {
  running.push(server)
  return server
}

function isAlive(pid: number | undefined): boolean {
  if (pid === undefined) return false
  try {
    process.kill(pid, 0)
    return !/\) Z /.test(fs.readFileSync(`/proc/${String(pid)}/stat`, 'utf8'))
  } catch {
    return false
  }
}

afterEach(async () => {
  for (const server of running.splice(0)) await server.dispose()
})

describeWith('redis', 'a throw-away Redis', () => {
  it('comes back on its address after a kill, and is gone after dispose', async () => {
    const server = tracked(await startPrivateRedis())
    const first = server.pid

    await server.kill9()
    await expect(probeRedis(server.url)).rejects.toThrow()
    await server.start()

    expect(await probeRedis(server.url)).toEqual({ version: server.version })
    expect(server.pid).not.toBe(first)
    await server.dispose()
    expect(isAlive(server.pid)).toBe(false)
    expect(fs.existsSync(server.dir)).toBe(false)
  })

  it('answers nobody while it is frozen', async () => {
    const server = tracked(await startPrivateRedis())

    server.pause()
    await expect(probeRedis(server.url, { deadlineMs: 300 })).rejects.toThrow('no answer in time')
    server.resume()

    expect(await probeRedis(server.url)).toEqual({ version: server.version })
  })
})

describeWith('rabbitmq', 'a throw-away RabbitMQ', () => {
  it('comes back on its address after a kill, and is gone after dispose', async () => {
    const server = tracked(await startPrivateRabbit())
    const first = server.pid
    await server.ctl('add_vhost', 'kept')
    await server.ctl('set_permissions', '-p', 'kept', 'guest', '.*', '.*', '.*')

    await server.kill9()
    await expect(probeAmqp(server.url)).rejects.toThrow()
    await server.start()

    expect(await probeAmqp(`${server.url}/kept`)).toMatchObject({ product: 'RabbitMQ' })
    expect(server.pid).not.toBe(first)
    await server.dispose()
    expect(isAlive(server.pid)).toBe(false)
    expect(fs.existsSync(server.dir)).toBe(false)
  })
})

describeWith('postgres', 'a throw-away PostgreSQL', () => {
  it('comes back on its address after a kill, and is gone after dispose', async () => {
    const server = tracked(await startPrivatePostgres())
    const first = server.pid

    await server.kill9()
    await expect(probePostgres(server.url)).rejects.toThrow()
    await server.start()

    expect(await probePostgres(server.url)).toEqual({ version: server.version })
    expect(server.pid).not.toBe(first)
    await server.restart()
    expect(await probePostgres(server.url)).toEqual({ version: server.version })
    await server.dispose()
    expect(isAlive(server.pid)).toBe(false)
    expect(fs.existsSync(server.dir)).toBe(false)
  })

  it('answers nobody while it is frozen', async () => {
    const server = tracked(await startPrivatePostgres())

    server.pause()
    await expect(probePostgres(server.url, { deadlineMs: 300 })).rejects.toThrow()
    server.resume()

    expect(await probePostgres(server.url)).toEqual({ version: server.version })
  })
})

describeWith('mariadb', 'a throw-away MariaDB', () => {
  it('comes back on its address after a kill, and is gone after dispose', async () => {
    const server = tracked(await startPrivateMariadb())
    const first = server.pid

    await server.kill9()
    await expect(probeMysql(server.url)).rejects.toThrow()
    await server.start()

    expect(await probeMysql(server.url)).toEqual({ version: server.version })
    expect(server.pid).not.toBe(first)
    server.pause()
    await expect(probeMysql(server.url, { deadlineMs: 300 })).rejects.toThrow()
    server.resume()
    expect(await probeMysql(server.url)).toEqual({ version: server.version })
    await server.dispose()
    expect(isAlive(server.pid)).toBe(false)
    expect(fs.existsSync(server.dir)).toBe(false)
  })
})

describeWith('redis', 'a probe', () => {
  it('says why a server cannot be used', async () => {
    const server = tracked(await startPrivateRedis())
    const address = `127.0.0.1:${String(server.port)}`

    await expect(probeAmqp(`amqp://${address}`, { deadlineMs: 500 })).rejects.toThrow()
    await expect(probeRedis(`ftp://${address}`)).rejects.toThrow('expected one of redis, rediss')
  })
})
