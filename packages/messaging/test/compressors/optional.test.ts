import * as zlib from 'node:zlib'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { bzip2 } from '../../src/compressors/bzip2.ts'
import { xz } from '../../src/compressors/xz.ts'
import { makeZstd } from '../../src/compressors/zstd.ts'
import { compressorSuite } from '../../src/testing/compressor-suite.ts'

const zstd = makeZstd(undefined)
beforeAll(async () => await zstd.load?.())

describe('without zstd in Node', () => {
  compressorSuite({ describe, it }, { compressor: zstd })

  it('writes one frame that says its length, which Kombu needs', () => {
    const frame = zstd.encode(Buffer.alloc(300))

    // The two highest bits of the descriptor: how many bytes the length takes.
    expect(frame[4]! >> 6).toBe(1)
    expect(Buffer.from(frame).readUInt16LE(5) + 256).toBe(300)
  })

  it('refuses a frame that announces more than the limit before it reserves memory', () => {
    const frame = Buffer.from('28b52ffde0ffffffffffffff7f0000', 'hex')

    expect(() => zstd.decode(frame, 1000)).toThrow(RangeError)
  })
})

describe('what the drivers would leave behind', () => {
  it('is taken away', async () => {
    const listeners = process.listenerCount('uncaughtException')
    await bzip2.load?.()

    expect(process.listenerCount('uncaughtException')).toBe(listeners)
    expect('__dirname' in globalThis || 'require' in globalThis).toBe(false)
  })

  it('is no memory, however often a body is refused', async () => {
    await bzip2.load?.()
    const cut = bzip2.encode(Buffer.alloc(1_000_000)).subarray(0, -4)
    for (let round = 0; round < 200; round++) {
      expect(() => bzip2.decode(cut, 2_000_000)).toThrow()
    }
  })
})

describe('bzip2', () => {
  it('reads several streams as one, as Python does', async () => {
    await bzip2.load?.()
    const parts = ['one', '', 'BZh9', 'two'].map((text) => bzip2.encode(Buffer.from(text)))

    const read = bzip2.decode(Buffer.concat(parts), 10)
    expect(Buffer.from(read).toString()).toBe('oneBZh9two')
    expect(() => bzip2.decode(Buffer.concat(parts), 9)).toThrow(/longer/)
  })
})

describe('xz', () => {
  it('reads several streams as one, as Python does', async () => {
    await xz.load?.()
    const two = Buffer.concat([xz.encode(Buffer.from('one')), xz.encode(Buffer.from('two'))])

    expect(Buffer.from(xz.decode(two, 6)).toString()).toBe('onetwo')
  })

  it('stops a bomb long before its end', async () => {
    await xz.load?.()
    const bomb = xz.encode(Buffer.alloc(60_000_000))
    const before = process.memoryUsage().rss

    expect(() => xz.decode(bomb, 1000)).toThrow(/longer than 1000/)
    expect(process.memoryUsage().rss - before).toBeLessThan(40_000_000)
  })
})

const why = 'zstdCompressSync' in zlib ? undefined : `Node ${process.version} has none`
const define = why === undefined ? describe : describe.skip
define(`with zstd in Node${why === undefined ? '' : ` [${why}]`}`, () => {
  it('reads what the package wrote', () => {
    const bytes = Buffer.from('wire '.repeat(1000))

    const read = (zlib as unknown as { zstdDecompressSync(b: Uint8Array): Buffer })
      .zstdDecompressSync

    expect(read(zstd.encode(bytes))).toEqual(bytes)
  })
})
