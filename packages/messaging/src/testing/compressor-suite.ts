/** What every compressor must do: round trips, an end to growing, damaged input. */
import assert from 'node:assert/strict'
import type { Compressor } from '../codec/compressor.ts'
import type { Runner } from './runner.ts'

export interface CompressorHarness {
  readonly compressor: Compressor
}

const LIMIT_BYTES = 1_000_000

export function compressorSuite({ describe, it }: Runner, { compressor }: CompressorHarness): void {
  const samples: Readonly<Record<string, Uint8Array>> = {
    nothing: new Uint8Array(),
    'one byte': new Uint8Array([7]),
    text: Buffer.from('wire '.repeat(1000)),
    'all byte values': Uint8Array.from({ length: 256 }, (_, i) => i),
  }

  describe(`compressor: ${compressor.names[0] ?? compressor.contentType}`, () => {
    it('has a content type and a name', () => {
      assert.match(compressor.contentType, /^application\/[a-z0-9.+-]+$/)
      assert.ok(compressor.names.length > 0)
    })

    for (const [name, bytes] of Object.entries(samples)) {
      it(`brings back ${name}`, () => {
        const back = compressor.decode(compressor.encode(bytes), LIMIT_BYTES)

        assert.deepEqual(Buffer.from(back), Buffer.from(bytes))
      })
    }

    it('makes repetitive bytes shorter', () => {
      const bytes = Buffer.from('wire '.repeat(1000))

      assert.ok(compressor.encode(bytes).length < bytes.length / 10)
    })

    it('allows exactly as many bytes as the limit says', () => {
      const bytes = new Uint8Array(1000)

      assert.equal(compressor.decode(compressor.encode(bytes), 1000).length, 1000)
    })

    it('stops a small message that would fill the memory', () => {
      const bomb = compressor.encode(new Uint8Array(LIMIT_BYTES + 1))

      assert.throws(() => compressor.decode(bomb, LIMIT_BYTES))
    })

    it('refuses bytes that are cut off', () => {
      const whole = compressor.encode(Buffer.from('wire '.repeat(1000)))

      assert.throws(() => compressor.decode(whole.subarray(0, whole.length - 5), LIMIT_BYTES))
    })

    it('refuses bytes that are something else', () => {
      assert.throws(() => compressor.decode(Buffer.from('[1, 2, 3]'), LIMIT_BYTES))
    })
  })
}
