/** Packages that come without types; what is used of them is typed where they are loaded. */
declare module 'bzip2-wasm' {
  const Bzip2: unknown
  export default Bzip2
}
declare module 'lzma-native' {
  const lzma: unknown
  export default lzma
}
