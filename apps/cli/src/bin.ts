#!/usr/bin/env node
/** Entry of the command: what `main` returns is how the process ends. */
import { main } from './main.ts'

// A reader that has seen enough (`| head`) is no reason to stop half-way, a worker least of all.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

const code = await main(process.argv.slice(2))
// Not exitCode: a handle that somebody's module left open must not keep the process.
process.exit(code)
