/** Contract of a compressor. `names`: the canonical header value first, then the names users may give. */

export interface Compressor {
  /** What the `compression` header says. */
  readonly contentType: string
  /** Names users may give, the usual one first. */
  readonly names: readonly string[]
  encode(bytes: Uint8Array): Uint8Array
  /** Throws when the result would be longer than `limitBytes`: a small message must not fill the memory. */
  decode(bytes: Uint8Array, limitBytes: number): Uint8Array
}
