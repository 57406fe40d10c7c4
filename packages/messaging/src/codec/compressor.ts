/** Contract of a compressor. Both ways are synchronous and pure. */

export interface Compressor {
  /** What the `compression` header says. */
  readonly contentType: string
  /** Names users may give, the usual one first. */
  readonly names: readonly string[]
  /** Imports what both ways need, before their first use; see `Serializer.load`. */
  load?(): Promise<void>
  encode(bytes: Uint8Array): Uint8Array
  /** Throws when the result would be longer than `limitBytes`: a small message must not fill the memory. */
  decode(bytes: Uint8Array, limitBytes: number): Uint8Array
}
