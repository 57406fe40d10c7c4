/**
 * The socket under an amqplib connection. amqplib hands it one small buffer for each method; here they
 * leave together, because a system call costs more than the work on a message.
 */
import type { Socket } from 'node:net'

/** The socket of a connection, as far as it is needed here. */
export function socketOf(model: { readonly connection: object }): Socket {
  return (model.connection as { readonly stream: Socket }).stream
}

/** Whatever is written in one go leaves in one write. */
export function corkWrites(socket: Socket): void {
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean
  let corked = false
  socket.write = ((...args: unknown[]): boolean => {
    if (!corked) {
      corked = true
      socket.cork()
      process.nextTick(() => {
        corked = false
        socket.uncork()
      })
    }
    return write(...args)
  }) as Socket['write']
}
