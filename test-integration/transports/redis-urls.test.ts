// The ways to name and to enter a Redis server: TLS, sockets, users, rotating passwords, options.
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { redisBench } from '../fixtures/redis-bench.ts'
import {
  describeUnless,
  describeWith,
  startPrivateRedis,
  type ControlledServer,
} from '../services/brokers.ts'

const bench = redisBench()

/** One message there and back. */
async function roundTrip(url: string, options: Parameters<typeof bench.connect>[1] = {}) {
  const connection = bench.connect(url, options)
  await connection.producer().publish('hello', { routingKey: 'round-trip' })
  const delivery = await (await connection.channel()).get('round-trip')
  await delivery!.ack()
  return Buffer.from(delivery!.message.body).toString()
}

describeWith('redis', 'Redis by other ways', () => {
  let dir: string
  let server: ControlledServer

  beforeAll(async () => {
    dir = fs.mkdtempSync(path.join(os.tmpdir(), 'celeriac-redis-'))
    server = await startPrivateRedis({
      args: ['--appendfsync', 'no', '--unixsocket', path.join(dir, 'redis.sock')],
    })
  })

  afterAll(async () => {
    await server.dispose()
    fs.rmSync(dir, { recursive: true, force: true })
  })

  it('goes through a socket, into the database that was named', async () => {
    const url = `redis+socket://${dir}/redis.sock?virtual_host=5`
    const connection = bench.connect(url)
    await connection.producer().publish('hello', { routingKey: 'by-socket' })

    const raw = await bench.raw(`${server.url}/5`)
    expect(await raw.llen('by-socket')).toBe(1)
  })

  it('logs in at a socket', async () => {
    const raw = await bench.raw(server.url)
    await raw.call('ACL', 'SETUSER', 'ann', 'on', '>secret', '~*', '&*', '+@all')

    await expect(roundTrip(`redis+socket://ann:secret@${dir}/redis.sock`)).resolves.toBe('"hello"')
    await expect(roundTrip(`redis+socket://ann:wrong@${dir}/redis.sock`)).rejects.toMatchObject({
      code: 'MESSAGING_AUTHENTICATION_FAILED',
    })
  })

  it('says what a user may not do', async () => {
    const raw = await bench.raw(server.url)
    await raw.call('ACL', 'SETUSER', 'bob', 'on', '>secret', '~other:*', '&*', '+@all')
    const url = server.url.replace('://', '://bob:secret@')

    await expect(bench.connect(url).connect()).rejects.toMatchObject({
      code: 'MESSAGING_AUTHENTICATION_FAILED',
    })
  })

  it('works for a user who has one prefix of keys and channels', async () => {
    const raw = await bench.raw(server.url)
    const rights = ['~mine:*', '&mine:*', '&__redis__:invalidate', '+@all']
    await raw.call('ACL', 'SETUSER', 'cat', 'on', '>secret', ...rights)
    const url = `${server.url.replace('://', '://cat:secret@')}?global_keyprefix=mine:`

    await expect(roundTrip(url)).resolves.toBe('"hello"')
  })

  it('asks for the credentials anew with each link', async () => {
    const raw = await bench.raw(server.url)
    const rights = ['~*', '&*', '+@all']
    await raw.call('ACL', 'SETUSER', 'eve', 'on', '>first', ...rights)
    let password = 'first'
    const credentials = () => ({ username: 'eve', password })
    const connection = bench.connect(server.url, { credentials })
    await connection.connect()
    await raw.call('ACL', 'SETUSER', 'eve', '<first', '>second')
    password = 'second'
    const lost = connection.signals.once('disconnected', AbortSignal.timeout(5000))

    await raw.call('CLIENT', 'KILL', 'USER', 'eve')
    await lost

    expect((await connection.channel()).isOpen).toBe(true)
  })

  it.each([
    ['visibilty_timeout=5', /visibilityTimeout/],
    ['queue_order_strategy=random', /round_robin/],
    ['priority_steps=x', /list of whole numbers/],
    ['socket_timeout=never', /number of seconds/],
  ])('refuses the option %s and says what there is', async (option, expected) => {
    const connection = bench.connect(`${server.url}?${option}`)

    await expect(connection.connect()).rejects.toMatchObject({
      code: 'MESSAGING_OPTION_INVALID',
      message: expect.stringMatching(expected) as unknown,
    })
  })

  it('takes every option of Kombu', async () => {
    const transportOptions = {
      ack_emulation: true,
      visibility_timeout: 60,
      unacked_key: 'u',
      unacked_index_key: 'ui',
      unacked_mutex_key: 'um',
      unacked_mutex_expire: 300,
      unacked_restore_limit: 10,
      unacked_restore_interval: 10,
      unacked_restore_throttle: 10,
      fanout_prefix: '/{db}.x.',
      fanout_patterns: true,
      global_keyprefix: 'p:',
      sep: ':',
      priority_steps: [0, 5],
      queue_order_strategy: 'sorted',
      polling_interval: 1,
      max_connections: 10,
      socket_timeout: 3,
      socket_connect_timeout: 3,
      socket_keepalive: true,
      socket_keepalive_options: {},
      retry_on_timeout: true,
      health_check_interval: 25,
      reauth_check_interval: 10,
    }

    await expect(roundTrip(server.url, { transportOptions })).resolves.toBe('"hello"')
  })
})

/** Redis says it cannot when it was built without. */
function withoutTls(): string | undefined {
  try {
    execFileSync('redis-server', ['--tls-port', '0', '--port', '0', '--check-system'], {
      stdio: 'pipe',
      timeout: 5000,
    })
    return undefined
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: Buffer; stderr?: Buffer }
    const text = `${String(stdout)}${String(stderr)}`
    return /tls-port/.test(text) ? 'redis-server was built without TLS' : undefined
  }
}

const reason = withoutTls()

describeWith('redis', 'Redis by other ways, encrypted', () => {
  describeUnless(reason, 'over TLS', tlsTests)
})

function tlsTests(): void {
  let dir: string
  let server: ControlledServer
  let tlsPort: number
  const file = (name: string): string => path.join(dir, name)

  beforeAll(async () => {
    dir = fs.mkdtempSync(path.join(os.tmpdir(), 'celeriac-tls-'))
    const openssl = (...args: string[]) =>
      execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' })
    const newKey = ['-newkey', 'rsa:2048', '-nodes', '-days', '2']
    openssl(
      'req',
      '-x509',
      ...newKey,
      '-keyout',
      'ca.key',
      '-out',
      'ca.pem',
      '-subj',
      '/CN=test-ca',
    )
    for (const name of ['server', 'client']) {
      openssl(
        'req',
        ...newKey,
        '-keyout',
        `${name}.key`,
        '-out',
        `${name}.csr`,
        '-subj',
        `/CN=${name}`,
      )
      fs.writeFileSync(file('ext'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n')
      const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'ext']
      openssl('x509', '-req', '-in', `${name}.csr`, ...by, '-days', '2', '-out', `${name}.pem`)
    }
    const first = await startPrivateRedis()
    tlsPort = first.port
    await first.dispose()
    server = await startPrivateRedis({
      args: [
        '--tls-port',
        String(tlsPort),
        '--tls-ca-cert-file',
        file('ca.pem'),
        '--tls-cert-file',
        file('server.pem'),
        '--tls-key-file',
        file('server.key'),
      ],
    })
  })

  afterAll(async () => {
    await server?.dispose()
    fs.rmSync(dir, { recursive: true, force: true })
  })

  it('is entered with the keys of a URL', async () => {
    const query = new URLSearchParams({
      ssl_cert_reqs: 'required',
      ssl_ca_certs: file('ca.pem'),
      ssl_certfile: file('client.pem'),
      ssl_keyfile: file('client.key'),
    })

    await expect(roundTrip(`rediss://localhost:${tlsPort}?${query.toString()}`)).resolves.toBe(
      '"hello"',
    )
  })

  it('is refused when its certificate is unknown', async () => {
    const ssl = { certfile: file('client.pem'), keyfile: file('client.key') }
    const connection = bench.connect(`rediss://localhost:${tlsPort}`, { transportOptions: { ssl } })

    await expect(connection.connect()).rejects.toMatchObject({
      code: 'MESSAGING_CONNECT_FAILED',
      message: expect.stringMatching(/certificate|issuer/) as unknown,
    })
  })

  it('is refused under a name that is not its own', async () => {
    const ssl = {
      ca_certs: file('ca.pem'),
      certfile: file('client.pem'),
      keyfile: file('client.key'),
      server_hostname: 'elsewhere.example',
    }
    const connection = bench.connect(`rediss://127.0.0.1:${tlsPort}`, { transportOptions: { ssl } })

    await expect(connection.connect()).rejects.toMatchObject({ code: 'MESSAGING_CONNECT_FAILED' })
  })
}
