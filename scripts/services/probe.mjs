// Proves that a server really answers: PING for Redis, a full AMQP 0-9-1 login for RabbitMQ. An open port
// alone proves nothing. Also finds free ports.
import net from 'node:net'
import tls from 'node:tls'
import { sleep } from './process.mjs'

/** Asks a Redis server for PONG and its version; throws with a reason when it cannot. */
export async function probeRedis(url, { deadlineMs = 3000 } = {}) {
  const { username, password } = credentials(url)
  const socket = await connect(url, { redis: 6379, rediss: 6380 }, deadlineMs)
  try {
    const lines = reader(socket, deadlineMs)
    const ask = async (...words) => {
      const parts = words.map((word) => `$${String(Buffer.byteLength(word))}\r\n${word}\r\n`)
      socket.write(`*${String(words.length)}\r\n${parts.join('')}`)
      const head = await lines.until('\r\n')
      if (head.startsWith('-')) throw new Error(`Redis answers ${head.slice(1)}`)
      return head.startsWith('$') ? await lines.bytes(Number(head.slice(1)) + 2) : head.slice(1)
    }
    if (password) await ask('AUTH', ...(username ? [username] : []), password)
    const pong = await ask('PING')
    if (pong !== 'PONG') throw new Error(`not a Redis server: it answers ${pong.slice(0, 40)}`)
    const info = await ask('INFO', 'server').catch(() => '')
    return { version: /redis_version:(\S+)/.exec(info)?.[1] ?? 'unknown' }
  } finally {
    socket.destroy()
  }
}

/** Logs in to an AMQP server and opens the virtual host; throws with a reason when it cannot. */
export async function probeAmqp(url, { deadlineMs = 5000 } = {}) {
  const { username, password } = credentials(url)
  const socket = await connect(url, { amqp: 5672, amqps: 5671 }, deadlineMs)
  try {
    const frames = amqpFrames(reader(socket, deadlineMs))
    socket.write(Buffer.from('AMQP\0\0\x09\x01', 'latin1'))
    const start = await frames.method(10, 10)
    const login = `\0${username || 'guest'}\0${password || 'guest'}`
    socket.write(
      methodFrame(10, 11, longText(''), shortText('PLAIN'), longText(login), shortText('en_US')),
    )
    const tune = await frames.method(10, 30)
    socket.write(methodFrame(10, 31, tune.subarray(4, 12)))
    socket.write(methodFrame(10, 40, shortText(virtualHost(url)), shortText(''), Buffer.from([0])))
    await frames.method(10, 41)
    socket.write(methodFrame(10, 50, Buffer.from([0, 200]), shortText(''), Buffer.alloc(4)))
    const version = textProperty(start, 'version')
    return { product: textProperty(start, 'product') ?? 'AMQP', version: version ?? 'unknown' }
  } finally {
    socket.destroy()
  }
}

/** A name for an URL in messages: never shows a password. */
export function masked(url) {
  return url.replace(/(:\/\/[^/@]*?):[^/@]*@/, '$1:***@')
}

function credentials(url) {
  const { username, password } = new URL(url)
  return { username: decodeURIComponent(username), password: decodeURIComponent(password) }
}

function virtualHost(url) {
  const name = new URL(url).pathname.slice(1)
  return name === '' ? '/' : decodeURIComponent(name)
}

/** A socket to the host of a URL; `ports`: the default port of each scheme that is allowed. */
export function connect(url, ports, deadlineMs) {
  const { protocol, hostname, port } = new URL(url)
  const scheme = protocol.slice(0, -1)
  if (!(scheme in ports)) {
    throw new Error(`${masked(url)}: expected one of ${Object.keys(ports).join(', ')}`)
  }
  const host = hostname.replace(/^\[|\]$/g, '')
  const target = { host: host === '' ? '127.0.0.1' : host, port: Number(port) || ports[scheme] }
  const secure = scheme === 'rediss' || scheme === 'amqps'
  return new Promise((resolve, reject) => {
    const socket = secure
      ? tls.connect({ ...target, ...(net.isIP(host) === 0 && { servername: host }) })
      : net.connect(target)
    const timer = setTimeout(() => {
      socket.destroy(new Error(`${masked(url)} does not answer`))
    }, deadlineMs)
    socket.once('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    socket.once(secure ? 'secureConnect' : 'connect', () => {
      clearTimeout(timer)
      resolve(socket)
    })
  })
}

/** Reads a socket piece by piece; every wait ends at the deadline, at an error or at the other's close. */
export function reader(socket, deadlineMs) {
  let held = Buffer.alloc(0)
  let failure
  let wake = () => {}
  const fail = (error) => {
    failure ??= error
    wake()
  }
  const timer = setTimeout(() => {
    fail(new Error('no answer in time'))
  }, deadlineMs)
  socket.on('data', (chunk) => {
    held = Buffer.concat([held, chunk])
    wake()
  })
  socket.on('error', fail)
  socket.on('close', () => {
    clearTimeout(timer)
    fail(new Error('the server closed the connection'))
  })
  const take = async (sizeOf) => {
    for (;;) {
      const size = sizeOf()
      if (size >= 0 && held.length >= size) {
        const piece = held.subarray(0, size)
        held = held.subarray(size)
        return piece
      }
      if (failure) throw failure
      await new Promise((resolve) => {
        wake = resolve
      })
    }
  }
  return {
    buffer: (size) => take(() => size),
    bytes: async (size) => (await take(() => size)).toString(),
    until: async (mark) => {
      const end = () => held.indexOf(mark) + (held.includes(mark) ? mark.length : 0)
      return (await take(end)).toString().slice(0, -mark.length)
    },
  }
}

function amqpFrames(lines) {
  return {
    /** The arguments of the next method, which must be the given one. */
    async method(classId, methodId) {
      const head = await lines.buffer(7)
      if (head.toString('latin1', 0, 4) === 'AMQP') throw new Error('the server refuses AMQP 0-9-1')
      if (head[0] !== 1) throw new Error('the server does not speak AMQP')
      const payload = (await lines.buffer(head.readUInt32BE(3) + 1)).subarray(0, -1)
      const [gotClass, gotMethod] = [payload.readUInt16BE(0), payload.readUInt16BE(2)]
      if (gotClass === 10 && gotMethod === 50) {
        throw new Error(`refused: ${payload.toString('utf8', 7, 7 + payload[6])}`)
      }
      if (gotClass !== classId || gotMethod !== methodId) {
        throw new Error(`unexpected AMQP method ${String(gotClass)}.${String(gotMethod)}`)
      }
      return payload
    },
  }
}

function methodFrame(classId, methodId, ...args) {
  const payload = Buffer.concat([Buffer.from([0, classId, 0, methodId]), ...args])
  const head = Buffer.alloc(7)
  head[0] = 1
  head.writeUInt32BE(payload.length, 3)
  return Buffer.concat([head, payload, Buffer.from([0xce])])
}

function shortText(text) {
  return Buffer.concat([Buffer.from([Buffer.byteLength(text)]), Buffer.from(text)])
}

function longText(text) {
  const size = Buffer.alloc(4)
  size.writeUInt32BE(Buffer.byteLength(text))
  return Buffer.concat([size, Buffer.from(text)])
}

/** The value of a long-string property in the server's greeting, found by its encoded name. */
function textProperty(payload, name) {
  const key = Buffer.concat([shortText(name), Buffer.from('S')])
  const at = payload.indexOf(key)
  if (at < 0) return undefined
  const from = at + key.length
  return payload.toString('utf8', from + 4, from + 4 + payload.readUInt32BE(from))
}

/**
 * A free port on loopback, below the range from which the system takes ports for outgoing connections: a
 * client that keeps dialling a dead server there can end up connected to itself and block the restart.
 */
export async function freePort() {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = 20_000 + Math.floor(Math.random() * 12_000)
    if (await isFree(port)) return port
    await sleep(1)
  }
  throw new Error('no free port between 20000 and 32000')
}

function isFree(port) {
  return new Promise((resolve) => {
    const server = net.createServer()
    server.once('error', () => {
      resolve(false)
    })
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      server.close(() => {
        resolve(true)
      })
    })
  })
}
