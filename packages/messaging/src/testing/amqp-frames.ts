/** Frames of AMQP 0-9-1 as they pass by: enough to see methods, and to write one. */

export interface AmqpFrame {
  readonly direction: 'to-server' | 'to-client'
  /** 0: the protocol header; 1: a method; 2: a content header; 3: a body; 8: a heartbeat. */
  readonly type: number
  readonly channel: number
  /** Of methods: `class.method` by their numbers, such as `50.10` for queue.declare. */
  readonly method: string | undefined
  /** The frame with its envelope. */
  readonly bytes: Buffer
}

/** Bytes before the payload of a frame: its type, channel and size. */
export const frameHeader = 7

/** Cuts a stream of bytes into frames. A client's stream begins with the protocol header. */
export class FrameReader {
  readonly #direction: AmqpFrame['direction']
  #rest: Buffer = Buffer.alloc(0)
  #begun: boolean

  constructor(direction: AmqpFrame['direction']) {
    this.#direction = direction
    this.#begun = direction === 'to-client'
  }

  /** The frames that are complete with this chunk. */
  *read(chunk: Buffer): Generator<AmqpFrame, void, void> {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    for (;;) {
      const size = this.#sizeOfNext()
      if (size === undefined || this.#rest.length < size) return
      const bytes = this.#rest.subarray(0, size)
      this.#rest = this.#rest.subarray(size)
      yield this.#begun ? frameOf(this.#direction, bytes) : this.#protocolHeader(bytes)
    }
  }

  #sizeOfNext(): number | undefined {
    // A server that speaks another protocol answers with a protocol header of its own.
    if (!this.#begun || this.#rest[0] === 0x41) return 8
    return this.#rest.length < frameHeader
      ? undefined
      : frameHeader + this.#rest.readUInt32BE(3) + 1
  }

  #protocolHeader(bytes: Buffer): AmqpFrame {
    this.#begun = true
    return { direction: this.#direction, type: 0, channel: 0, method: undefined, bytes }
  }
}

function frameOf(direction: AmqpFrame['direction'], bytes: Buffer): AmqpFrame {
  const type = bytes[0] === 0x41 ? 0 : bytes[0]!
  return {
    direction,
    type,
    channel: type === 0 ? 0 : bytes.readUInt16BE(1),
    method: type === 1 ? `${bytes.readUInt16BE(7)}.${bytes.readUInt16BE(9)}` : undefined,
    bytes,
  }
}

/** A method frame; `args` are its arguments as they are written. */
export function methodFrame(channel: number, method: string, args: Buffer): Buffer {
  const [classId = 0, methodId = 0] = method.split('.').map(Number)
  const frame = Buffer.alloc(frameHeader + 4 + args.length + 1)
  frame.writeUInt8(1, 0)
  frame.writeUInt16BE(channel, 1)
  frame.writeUInt32BE(4 + args.length, 3)
  frame.writeUInt16BE(classId, 7)
  frame.writeUInt16BE(methodId, 9)
  args.copy(frame, 11)
  frame.writeUInt8(0xce, frame.length - 1)
  return frame
}

/** connection.close, because of a method the peer sent. */
export function connectionClose(code: number, text: string, because: string): Buffer {
  const words = Buffer.from(text).subarray(0, 255)
  const [classId = 0, methodId = 0] = because.split('.').map(Number)
  const args = Buffer.alloc(2 + 1 + words.length + 4)
  args.writeUInt16BE(code, 0)
  args.writeUInt8(words.length, 2)
  words.copy(args, 3)
  args.writeUInt16BE(classId, 3 + words.length)
  args.writeUInt16BE(methodId, 5 + words.length)
  return methodFrame(0, '10.50', args)
}
