/** A Transport made of a function that opens a MessageStore. */
import { withDeadline } from '../kernel/deadline.ts'
import { MessagingError } from '../kernel/errors.ts'
import type { Capabilities } from '../transport/capabilities.ts'
import type { ConnectOptions, Transport } from '../transport/transport.ts'
import { VirtualSession } from './session.ts'
import type { MessageStore, StoreContext } from './store.ts'

export interface VirtualOptions {
  readonly name: string
  readonly capabilities: Capabilities
  readonly options?: readonly string[]
  /** Opens one session's view of the broker; rejects with a typed error within the deadline. */
  open(options: ConnectOptions, context: StoreContext): Promise<MessageStore>
}

export function virtualTransport(virtual: VirtualOptions): Transport {
  const { name, capabilities, options: names, open } = virtual
  return {
    name,
    capabilities,
    ...(names && { options: names }),
    async connect(options) {
      const { ambient, target } = options
      const resumes =
        options.resumes instanceof VirtualSession && options.resumes.name === name
          ? options.resumes
          : undefined
      let session: VirtualSession | undefined
      const context: StoreContext = {
        ambient,
        session: ambient.nextId(),
        ...(resumes?.store.identity !== undefined && { resumes: resumes.store.identity }),
        events: {
          onParked: (queue, reason) =>
            ambient.log.warn('a message that cannot be read was parked', { queue, reason }),
          onDue: () => session?.expectDue(ambient.clock.now()),
        },
      }
      const connecting = async (): Promise<VirtualSession> => {
        const store = await open(options, context)
        session = new VirtualSession(name, capabilities, store, options)
        try {
          if (resumes) await session.follow(resumes)
        } catch (error) {
          void store.close({ keep: true }).catch(() => undefined)
          throw error
        }
        return session
      }
      const opening = connecting()
      return await withDeadline(
        opening,
        options.timeoutMs,
        ambient.clock,
        `connecting to ${target.masked}`,
        () => {
          // It may still come about; nobody wants it then, and its lease must end.
          opening.then((late) => late.close()).catch(() => undefined)
          return new MessagingError(
            'MESSAGING_CONNECT_FAILED',
            'connection',
            `no connection to ${target.masked} within ${options.timeoutMs} ms`,
          )
        },
      )
    },
  }
}
