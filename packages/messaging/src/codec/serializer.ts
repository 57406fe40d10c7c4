/**
 * Contract of a serializer: a value to bytes and back. Both ways are synchronous and pure.
 *
 * `encode` throws when the value cannot be carried without loss (never a silent change); `decode`
 * throws on bytes that are not its own. The body codec wraps both into typed errors.
 */

export interface Serializer {
  readonly name: string
  readonly contentType: string
  readonly contentEncoding: string
  /**
   * Imports what both ways need, before their first use; safe to call again. One that needs nothing
   * leaves it out. Rejects when it cannot be had.
   */
  load?(): Promise<void>
  encode(value: unknown): Uint8Array
  decode(bytes: Uint8Array): unknown
}
