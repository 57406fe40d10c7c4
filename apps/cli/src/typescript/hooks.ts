/**
 * Runs in the thread of Node's module hooks, after tsx: a TypeScript file is an ES module, whatever the
 * package.json near it says or whether there is one.
 */
import type { ResolveHook } from 'node:module'

// As CommonJS such a file would get a second copy of every package that is ES modules only: the app would
// not be the app this program knows, and nothing it does would be seen here.
export const resolve: ResolveHook = async (specifier, context, nextResolve) => {
  const resolved = await nextResolve(specifier, context)
  const isMistaken = resolved.format === 'commonjs' && /\.tsx?(\?|$)/.test(resolved.url)
  return isMistaken ? { ...resolved, format: 'module' } : resolved
}
