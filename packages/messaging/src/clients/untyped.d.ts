/** Packages that come without types; what is used of them is typed where they are loaded. */
declare module 'memjs' {
  const memjs: unknown
  export default memjs
}
