// Proves that a server speaks MongoDB's protocol: asks it `hello` and `buildInfo`, which need no login, in
// hand-made messages, so that looking for a server needs no driver.
import { connect, reader } from './probe.mjs'

const opMsg = 2013

/** The version a MongoDB server says it has, and whether it is FerretDB; throws with a reason. */
export async function probeMongo(url, { deadlineMs = 3000 } = {}) {
  const first = url.replace(/^(mongodb:\/\/(?:[^/@]*@)?[^,/]*)(?:,[^/]*)/, '$1')
  const socket = await connect(first, { mongodb: 27017 }, deadlineMs)
  try {
    const bytes = reader(socket, deadlineMs)
    await ask(socket, bytes, 'hello')
    const info = await ask(socket, bytes, 'buildInfo')
    const version = info.version ?? 'unknown'
    const isFerret = info.ferretdbVersion !== undefined
    return { version: isFerret ? `${version} (FerretDB)` : version, isFerret }
  } finally {
    socket.destroy()
  }
}

async function ask(socket, bytes, command) {
  const body = document([integer(command, 1), text('$db', 'admin')])
  const message = Buffer.alloc(21 + body.length)
  message.writeInt32LE(message.length, 0)
  message.writeInt32LE(1, 4)
  message.writeInt32LE(opMsg, 12)
  body.copy(message, 21)
  socket.write(message)
  const head = await bytes.buffer(16)
  const size = head.readInt32LE(0)
  if (head.readInt32LE(12) !== opMsg || size < 26 || size > 1_000_000)
    throw new Error('the server does not speak MongoDB')
  const reply = await bytes.buffer(size - 16)
  return texts(reply.subarray(5))
}

function document(elements) {
  const inner = Buffer.concat(elements)
  const head = Buffer.alloc(4)
  head.writeInt32LE(inner.length + 5)
  return Buffer.concat([head, inner, Buffer.from([0])])
}

function integer(name, value) {
  const number = Buffer.alloc(4)
  number.writeInt32LE(value)
  return Buffer.concat([Buffer.from([0x10]), Buffer.from(`${name}\0`), number])
}

function text(name, value) {
  const size = Buffer.alloc(4)
  size.writeInt32LE(Buffer.byteLength(value) + 1)
  return Buffer.concat([Buffer.from(`\x02${name}\0`), size, Buffer.from(`${value}\0`)])
}

/** Bytes of a value that has always the same size, by the type of the element. */
const sizes = { 0x01: 8, 0x07: 12, 0x08: 1, 0x09: 8, 0x0a: 0, 0x10: 4, 0x11: 8, 0x12: 8, 0x13: 16 }

/** The elements of a document that are texts. */
function texts(bson) {
  const found = {}
  let at = 4
  while (at < bson.length && bson[at] !== 0) {
    const type = bson[at]
    const end = bson.indexOf(0, at + 1)
    const name = bson.toString('utf8', at + 1, end)
    at = end + 1
    if (type === 0x02) {
      const size = bson.readInt32LE(at)
      found[name] = bson.toString('utf8', at + 4, at + 3 + size)
      at += 4 + size
    } else if (type === 0x03 || type === 0x04) at += bson.readInt32LE(at)
    else if (type === 0x05) at += 5 + bson.readInt32LE(at)
    else if (type in sizes) at += sizes[type]
    else break
  }
  return found
}
