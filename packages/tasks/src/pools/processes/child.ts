/** Entry file of a child process. */
import { loadForChild } from '../../app/load.ts'
import { runChild } from '../../pool/child.ts'
import type { ToChild, ToParent } from '../../pool/ipc.ts'

// The parent alone decides when work ends: a Ctrl-C in the terminal reaches the whole process group.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => undefined)

runChild(
  {
    send: (message: ToParent) => void process.send?.(message),
    onMessage: (listener) => process.on('message', (message) => listener(message as ToChild)),
    onLost: (listener) => process.on('disconnect', listener),
    exit: (code) => process.exit(code),
  },
  loadForChild,
)
