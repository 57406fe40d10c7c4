#!/usr/bin/env node
/** Entry of the command: what `main` returns is how the process ends. */
import { main } from './main.ts'

// A reader that has seen enough (`| head`) is no reason to stop half-way, a worker least of all.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

const leave = (): void => {
  process.stderr.write('error: waiting for what cannot come: nothing is connected [CLI_STUCK]\n')
  process.exitCode = 1
}
// Node ends a program that waits while nothing can happen any more; silence would look like success.
process.on('exit', leave)

// Not awaited at the top: Node would report that in words of its own.
void main(process.argv.slice(2)).then((code) => {
  process.off('exit', leave)
  // Not exitCode: a handle that somebody's module left open must not keep the process.
  process.exit(code)
})
