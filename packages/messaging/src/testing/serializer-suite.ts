/** What every serializer must do: round trips, refusals that are errors and not losses, damaged input. */
import assert from 'node:assert/strict'
import type { Serializer } from '../codec/serializer.ts'
import type { Runner } from './runner.ts'

export interface SerializerHarness {
  readonly serializer: Serializer
  /** Values that come back deeply equal. */
  readonly values: Readonly<Record<string, unknown>>
  /** Values that cannot be carried. */
  readonly unsendable: Readonly<Record<string, unknown>>
  /** Bytes that are not its own. */
  readonly malformed: Readonly<Record<string, Uint8Array>>
}

export function serializerSuite({ describe, it }: Runner, harness: SerializerHarness): void {
  const { serializer } = harness

  describe(`serializer: ${serializer.name}`, () => {
    it('has a name, a content type and a content encoding', () => {
      assert.match(serializer.name, /^[a-z][a-z0-9_-]*$/)
      assert.match(serializer.contentType, /^[a-z]+\/[a-z0-9.+-]+$/)
      assert.notEqual(serializer.contentEncoding, '')
    })

    for (const [name, value] of Object.entries(harness.values)) {
      it(`brings back ${name}`, () => {
        const bytes = serializer.encode(value)
        assert.ok(bytes instanceof Uint8Array)

        assert.deepEqual(serializer.decode(bytes), value)
      })

      it(`writes ${name} the same after a round trip`, () => {
        const bytes = serializer.encode(value)

        assert.deepEqual(
          Buffer.from(serializer.encode(serializer.decode(bytes))),
          Buffer.from(bytes),
        )
      })
    }

    it('reads bytes that lie inside a larger buffer', () => {
      const [value] = Object.values(harness.values)
      const bytes = serializer.encode(value)
      const around = new Uint8Array(bytes.length + 7).fill(0x7b)
      around.set(bytes, 3)

      assert.deepEqual(serializer.decode(around.subarray(3, 3 + bytes.length)), value)
    })

    for (const [name, value] of Object.entries(harness.unsendable)) {
      it(`refuses to write ${name}`, () => {
        assert.throws(() => serializer.encode(value))
      })
    }

    for (const [name, bytes] of Object.entries(harness.malformed)) {
      it(`refuses to read ${name}`, () => {
        assert.throws(() => serializer.decode(bytes))
      })
    }
  })
}
