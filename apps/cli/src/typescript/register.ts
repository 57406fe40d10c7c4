/** Importing this makes TypeScript importable, in this process or, through `--import`, in a child. */
import { register as registerHooks } from 'node:module'
import { register as registerTsx } from 'tsx/esm/api'

registerTsx()
// Hooks that come later are asked first and see what the earlier ones answer.
registerHooks('./hooks.js', import.meta.url)
