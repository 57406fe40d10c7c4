/**
 * The child's side of a pool with children: loads the app's module, runs the jobs it is given, answers.
 * The parent decides about limits and life; losing it ends the child.
 */
import { SoftTimeLimitExceeded } from '../kernel/errors.ts'
import { StopControl } from '../kernel/job.ts'
import type { ToChild, ToParent } from './ipc.ts'
import type { AppLocation } from '../kernel/app-location.ts'
import type { Execute } from './pool.ts'

export interface ChildLink {
  send(message: ToParent): void
  onMessage(listener: (message: ToChild) => void): void
  /** The parent is gone. */
  onLost(listener: () => void): void
  exit(code: number): void
}

/** What a loaded app offers to its child process. */
export interface ChildApp {
  readonly execute: Execute
  close(): Promise<void>
}

export function runChild(
  link: ChildLink,
  load: (location: AppLocation) => Promise<ChildApp>,
): void {
  let app: ChildApp | undefined
  const running = new Map<string, StopControl>()
  let leaving = false

  const leave = (): void => {
    leaving = true
    if (running.size > 0) return
    void (app?.close() ?? Promise.resolve()).finally(() => link.exit(0))
  }

  const run = async (id: string, message: Parameters<Execute>[0]): Promise<void> => {
    const control = new StopControl()
    running.set(id, control)
    const report = await app!.execute(message, control)
    running.delete(id)
    const memoryKib = Math.round(process.memoryUsage.rss() / 1024)
    link.send({ kind: 'done', id, report, memoryKib })
    if (leaving) leave()
  }

  link.onLost(() => link.exit(1))
  link.onMessage((message) => {
    switch (message.kind) {
      case 'load':
        load(message.app).then(
          (loaded) => {
            app = loaded
            link.send({ kind: 'ready' })
          },
          (error: unknown) => {
            const reason = error instanceof Error ? (error.stack ?? error.message) : String(error)
            link.send({ kind: 'failed', reason })
          },
        )
        break
      case 'run':
        void run(message.id, message.message)
        break
      case 'soft':
        running.get(message.id)?.abort(new SoftTimeLimitExceeded(message.seconds))
        break
      case 'leave':
        leave()
    }
  })
}
