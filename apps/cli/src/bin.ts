#!/usr/bin/env node
/** Entry of the command: what `main` returns is how the process ends. */
import { main } from './main.ts'

const code = await main(process.argv.slice(2))
// Not exitCode: a handle that somebody's module left open must not keep the process.
process.exit(code)
