// What goes wrong between us and RabbitMQ, and how it is told: typed errors, deadlines, no hanging promise.
import { setTimeout as pause } from 'node:timers/promises'
import {
  Connection,
  exchange,
  message,
  MessagingError,
  queue,
  silentLogger,
  type Publication,
} from '@celeriac/messaging'
import { FaultProxy, Inbox } from '@celeriac/messaging/testing'
import { afterEach, expect, it } from '@jest/globals'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect as connectSocket, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../scripts/services/index.mjs'
import { describeWith, startPrivateRabbit, uniqueName, urlOf } from '../services/brokers.ts'

const cleanups: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

function connect(url: string, options: ConstructorParameters<typeof Connection>[1] = {}) {
  const connection = new Connection(url, { ambient: { log: silentLogger }, ...options })
  cleanups.push(() => connection.close())
  return connection
}

async function startProxy(url = urlOf('rabbitmq')): Promise<FaultProxy> {
  const proxy = await FaultProxy.to(url)
  cleanups.push(() => proxy.close())
  return proxy
}

function changed(change: (url: URL) => void): string {
  const url = new URL(urlOf('rabbitmq'))
  change(url)
  return url.href
}

async function failure(work: Promise<unknown>): Promise<MessagingError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (MessagingError.is(error)) return error
  throw new Error(`expected a MessagingError, got ${String(error)}`)
}

const to = (routingKey: string, text: string): Publication => ({
  exchange: '',
  routingKey,
  message: message(text),
})

describeWith('rabbitmq', 'connecting over AMQP', () => {
  it('refuses a wrong password for good', async () => {
    const url = changed((u) => (u.password = 'wrong-one'))

    const error = await failure(connect(url).connect())

    expect([error.code, error.fault]).toEqual(['MESSAGING_AUTHENTICATION_FAILED', 'fatal'])
    expect(error.message).not.toContain('wrong-one')
  })

  it('refuses an unknown virtual host for good', async () => {
    const error = await failure(connect(changed((u) => (u.pathname = '/%2Fno%25such'))).connect())

    expect([error.code, error.fault]).toEqual(['MESSAGING_CONNECT_FAILED', 'fatal'])
    expect(error.message).toContain('virtual host')
  })

  it('reports a broker that is away as worth another try', async () => {
    const proxy = await FaultProxy.to(urlOf('rabbitmq'))
    const url = proxy.through(urlOf('rabbitmq'))
    await proxy.close()

    const error = await failure(connect(url).connect())

    expect([error.code, error.fault]).toEqual(['MESSAGING_CONNECT_FAILED', 'connection'])
    expect(error.message).toContain('ECONNREFUSED')
  })

  it('gives up a broker that says nothing by the deadline', async () => {
    const proxy = await startProxy()
    proxy.setMode('blackhole')
    const started = performance.now()

    const connection = connect(proxy.through(urlOf('rabbitmq')), { connectTimeout: 0.3 })
    const error = await failure(connection.connect())

    expect([error.code, error.fault]).toEqual(['MESSAGING_CONNECT_FAILED', 'connection'])
    expect(performance.now() - started).toBeLessThan(2000)
  })

  it('speaks as pyamqp too', async () => {
    const connection = connect(urlOf('rabbitmq').replace(/^amqp:/, 'pyamqp:'))

    await connection.connect()

    expect(connection.state).toBe('connected')
  })

  it('does not speak TLS with a server that has none', async () => {
    const error = await failure(
      connect(urlOf('rabbitmq').replace(/^amqp:/, 'amqps:'), { connectTimeout: 3 }).connect(),
    )

    expect(error.code).toBe('MESSAGING_CONNECT_FAILED')
  })
})

/** A certificate of its own authority, and one that it signed, for a server or a user by this name. */
function makeCertificates(folder: string, name: string): { ca: string; cert: string; key: string } {
  const at = (file: string): string => join(folder, file)
  const openssl = (...words: string[]): void => {
    const made = spawnSync('openssl', words, { encoding: 'utf8' })
    if (made.status !== 0) throw new Error(made.stderr)
  }
  const [ca, caKey, cert, key, request] = [
    'ca.pem',
    'ca.key',
    'cert.pem',
    'key.pem',
    'request',
  ].map((file) => at(`${name}-${file}`)) as [string, string, string, string, string]
  const made = ['-newkey', 'rsa:2048', '-nodes']
  openssl(
    'req',
    '-x509',
    ...made,
    '-days',
    '2',
    '-subj',
    '/CN=authority',
    '-keyout',
    caKey,
    '-out',
    ca,
  )
  openssl('req', ...made, '-subj', `/CN=${name}`, '-keyout', key, '-out', request)
  const names = at(`${name}-names`)
  writeFileSync(names, 'subjectAltName=DNS:localhost,IP:127.0.0.1')
  const signed = ['-CA', ca, '-CAkey', caKey, '-CAcreateserial', '-days', '2', '-extfile', names]
  openssl('x509', '-req', '-in', request, ...signed, '-out', cert)
  return { ca, cert, key }
}

describeWith('rabbitmq', 'AMQP over TLS', () => {
  it('connects to a server it can trust, and logs in with a certificate alone', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'celeriac-tls-'))
    cleanups.push(() => Promise.resolve(rmSync(folder, { recursive: true })))
    const server = makeCertificates(folder, 'localhost')
    const client = makeCertificates(folder, 'somebody')
    const port = await freePort()
    const rabbit = await startPrivateRabbit({
      config: [
        `listeners.ssl.default = ${port}`,
        `ssl_options.cacertfile = ${client.ca}`,
        `ssl_options.certfile = ${server.cert}`,
        `ssl_options.keyfile = ${server.key}`,
        'ssl_options.verify = verify_peer',
        'ssl_options.fail_if_no_peer_cert = false',
        'auth_mechanisms.1 = PLAIN',
        'auth_mechanisms.2 = EXTERNAL',
        'ssl_cert_login_from = common_name',
      ],
    })
    cleanups.push(() => rabbit.dispose())
    // Logging in with a certificate is a plug-in of the broker.
    const plugins = join(rabbit.dir, 'enabled_plugins')
    writeFileSync(plugins, '[rabbitmq_auth_mechanism_ssl].\n')
    await rabbit.restart()
    await rabbit.ctl('add_user', 'somebody', 'unused')
    await rabbit.ctl('set_permissions', 'somebody', '.*', '.*', '.*')
    const url = new URL(rabbit.url.replace(/^amqp:/, 'amqps:'))
    url.port = String(port)
    const ca = readFileSync(server.ca)

    const trusting = connect(url.href, { transportOptions: { tls: { ca } } })
    await trusting.connect()
    expect(trusting.server).toMatch(/^RabbitMQ/)

    const stranger = await failure(connect(url.href).connect())
    expect([stranger.code, stranger.fault]).toEqual(['MESSAGING_CONNECT_FAILED', 'fatal'])

    // In Kombu's words, with files.
    const files = `ssl_ca_certs=${server.ca}&ssl_certfile=${client.cert}&ssl_keyfile=${client.key}`
    const bare = `amqps://localhost:${port}/?${files}&login_method=EXTERNAL`
    const certified = connect(bare)
    const name = uniqueName('certified')
    await certified.withChannel((channel) => channel.declareQueue(queue(name)))
    await certified.producer().publish('x', { routingKey: name, userId: 'somebody' })
    expect(await rabbit.ctl('list_connections', 'user', 'ssl')).toMatch(/somebody\s+true/)

    const uncertified = connect(url.href, {
      transportOptions: { tls: { ca }, loginMethod: 'EXTERNAL' },
    })
    expect((await failure(uncertified.connect())).code).toBe('MESSAGING_AUTHENTICATION_FAILED')
  })
})

describeWith('rabbitmq', 'AMQP over IPv6', () => {
  it('connects to an address in brackets', async () => {
    const { hostname: host, port } = new URL(urlOf('rabbitmq'))
    const server = createServer((client) => {
      const onwards = connectSocket({ host, port: Number(port) })
      client.pipe(onwards).pipe(client)
      for (const socket of [client, onwards]) socket.on('error', () => socket.destroy())
    })
    const listening = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false))
      server.listen(0, '::1', () => resolve(true))
    })
    cleanups.push(() => Promise.resolve(void server.close()))
    // A machine without IPv6 shows no more than that the address is understood.
    const at = listening ? (server.address() as { port: number }).port : 1
    const connection = connect(changed((u) => ((u.hostname = '[::1]'), (u.port = String(at)))))

    const outcome = await connection.connect().then(
      () => 'connected',
      (error: unknown) => (error as MessagingError).message,
    )

    expect(outcome).toMatch(listening ? /^connected$/ : /::1/)
  })
})

describeWith('rabbitmq', 'refusals over AMQP', () => {
  it('reports a declaration that differs, and ends the channel with it', async () => {
    const connection = connect(urlOf('rabbitmq'))
    const channel = await connection.channel()
    const name = uniqueName('differs')
    await channel.declareQueue(queue(name, { durable: false, autoDelete: true }))

    const error = await failure(channel.declareQueue(queue(name)))

    expect([error.code, error.fault]).toEqual(['MESSAGING_DECLARATION_REFUSED', 'channel'])
    expect(channel.isOpen).toBe(false)
    expect((await channel.closed)?.fault).toBe('channel')
    expect((await failure(channel.purge(name))).code).toBe('MESSAGING_CHANNEL_CLOSED')
  })

  it('names a queue that is not there', async () => {
    const connection = connect(urlOf('rabbitmq'))
    for (const verb of ['purge', 'get'] as const) {
      const channel = await connection.channel()
      const error = await failure(channel[verb](uniqueName('none')))
      expect([error.code, error.fault]).toEqual(['MESSAGING_QUEUE_NOT_FOUND', 'channel'])
    }
    const channel = await connection.channel()
    const error = await failure(channel.consume(uniqueName('none'), { tag: 't' }, () => undefined))
    expect(error.code).toBe('MESSAGING_QUEUE_NOT_FOUND')
  })

  it('refuses a passive declaration of an unknown exchange', async () => {
    const channel = await connect(urlOf('rabbitmq')).channel()
    const unknown = exchange(uniqueName('none'))

    const error = await failure(channel.declareExchange(unknown, { passive: true }))

    expect(error.code).toBe('MESSAGING_DECLARATION_REFUSED')
  })

  it('refuses a consumer tag that is in use', async () => {
    const channel = await connect(urlOf('rabbitmq')).channel()
    const name = uniqueName('tag')
    await channel.declareQueue(queue(name, { autoDelete: true }))
    await channel.consume(name, { tag: 't' }, () => undefined)

    const error = await failure(channel.consume(name, { tag: 't' }, () => undefined))

    expect(error.code).toBe('MESSAGING_DECLARATION_REFUSED')
    expect(channel.isOpen).toBe(true)
  })

  it('settles what waits for a confirm when the channel ends', async () => {
    const connection = connect(urlOf('rabbitmq'))
    const channel = await connection.channel()
    const name = uniqueName('ends')
    await channel.declareQueue(queue(name, { expiresMs: 60_000 }))

    const refused = channel.purge(uniqueName('none'))
    const sent = channel.publish([to(name, 'x')])

    expect((await failure(refused)).code).toBe('MESSAGING_QUEUE_NOT_FOUND')
    const outcome: unknown = await sent.catch((error: unknown) => error)
    expect(outcome === undefined || MessagingError.is(outcome)).toBe(true)
  })

  it('starts a consumer anew when its queue was removed', async () => {
    const connection = connect(urlOf('rabbitmq'))
    const name = uniqueName('removed')
    const inbox = new Inbox()
    const consumer = connection.consumer({
      queues: [queue(name, { expiresMs: 60_000 })],
      onDeliveries: inbox.onDeliveries,
    })
    await consumer.start()
    const interrupted = consumer.signals.once('interrupted', AbortSignal.timeout(5000))
    const again = consumer.signals.once('ready', AbortSignal.timeout(5000))

    await (await connect(urlOf('rabbitmq')).channel()).removeQueue(name)

    expect((await interrupted).error.fault).toBe('channel')
    expect((await again).recovered).toBe(true)
    await connection.producer().publish('x', { routingKey: name })
    await inbox.atLeast(1)
    await inbox.deliveries[0]!.ack()
  })

  it('ends the channel, not the process, when a receiver throws', async () => {
    const connection = connect(urlOf('rabbitmq'))
    const channel = await connection.channel()
    const name = uniqueName('throws')
    await channel.declareQueue(queue(name, { expiresMs: 60_000 }))
    await channel.publish([to(name, 'x')])

    await channel.consume(name, { tag: 't' }, () => {
      throw new Error('from the receiver')
    })

    expect((await channel.closed)?.fault).toBe('channel')
    const other = await connection.channel()
    for (let i = 0; i < 50 && !(await other.get(name)); i++)
      await new Promise((resolve) => setTimeout(resolve, 20))
    expect(await other.removeQueue(name)).toBe(0)
  })
})

describeWith('rabbitmq', 'broken links over AMQP', () => {
  it('notices a link on which nothing moves, and comes back', async () => {
    const proxy = await startProxy()
    const connection = connect(proxy.through(urlOf('rabbitmq')), { heartbeat: 1 })
    await connection.connect()
    const lost = connection.signals.once('disconnected', AbortSignal.timeout(8000))

    proxy.setMode('blackhole')
    const waiting = connection.channel()
    waiting.catch(() => undefined)

    expect((await lost).error.code).toBe('MESSAGING_CONNECTION_LOST')
    proxy.setMode('pass')
    const channel = await connection.channel()
    expect(channel.isOpen).toBe(true)
  })

  it('comes back after the broker was killed, with every confirmed message', async () => {
    const rabbit = await startPrivateRabbit()
    cleanups.push(() => rabbit.dispose())
    const connection = connect(rabbit.url, { publishTimeout: 30 })
    const name = uniqueName('killed')
    const inbox = new Inbox()
    const consumer = connection.consumer({ queues: [name], onDeliveries: inbox.onDeliveries })
    const producer = connection.producer()
    await (await connection.channel()).declareQueue(queue(name))
    for (let i = 0; i < 20; i++) await producer.publish(i, { routingKey: name })
    await consumer.start()
    await inbox.atLeast(20)

    await rabbit.kill9()
    const late = producer.publish(20, { routingKey: name })
    await rabbit.start()
    await late
    await inbox.atLeast(41, 30_000)

    expect(new Set(inbox.deliveries.slice(20).map(({ value }) => value)).size).toBe(21)
    await Promise.all(inbox.deliveries.map((delivery) => delivery.ack()))
  })

  it('waits while the broker takes nothing, and not longer than the deadline', async () => {
    const rabbit = await startPrivateRabbit()
    cleanups.push(() => rabbit.dispose())
    const connection = connect(rabbit.url, { publishTimeout: 0.5, heartbeat: 5 })
    const name = uniqueName('blocked')
    await (await connection.channel()).declareQueue(queue(name))
    const producer = connection.producer()
    await producer.publish(1, { routingKey: name })
    // The broker notices a moment after it was told, and takes what comes before that.
    const untilFull = async (value: number): Promise<void> => {
      for (let i = 0; i < 50; i++) {
        await producer.publish(value, { routingKey: name })
        await pause(50)
      }
    }

    await rabbit.ctl('set_vm_memory_high_watermark', '0.000001')
    const error = await failure(untilFull(2))
    expect(error.code).toBe('MESSAGING_PUBLISH_TIMEOUT')
    const patient = producer.publish(3, { routingKey: name, timeout: 20 })
    await rabbit.ctl('set_vm_memory_high_watermark', '0.6')
    await patient

    await rabbit.ctl('set_vm_memory_high_watermark', '0.000001')
    await failure(untilFull(4))
    const started = performance.now()
    await connection.close()
    expect(performance.now() - started).toBeLessThan(5000)
  })
})
