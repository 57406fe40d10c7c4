/** Values as JSON text, also those that JSON has no form for. */

/** One line; nothing is `null`, what JSON cannot carry is its text. */
export function jsonText(value: unknown): string {
  return (
    JSON.stringify(value, (_, one: unknown) => {
      if (typeof one === 'bigint') {
        return Number.isSafeInteger(Number(one)) ? Number(one) : String(one)
      }
      if (one instanceof Map) return Object.fromEntries(one)
      if (one instanceof Set) return [...one]
      if (ArrayBuffer.isView(one))
        return Buffer.from(one.buffer, one.byteOffset, one.byteLength).toString('base64')
      return one
    }) ?? 'null'
  )
}
