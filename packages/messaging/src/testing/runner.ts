/** The two words a conformance suite needs; jest, vitest, mocha and node:test all have them. */
export interface Runner {
  describe(name: string, body: () => void): unknown
  it(name: string, body: () => Promise<void> | void): unknown
}
