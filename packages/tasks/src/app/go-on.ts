/** The two tasks that go on with what a message was too small for, or give it up (see client/offload.ts). */
import { fromWire, plan } from '../canvas/index.ts'
import { giveUp, goOn, keptSignature, readBlock, restOf } from '../client/offload.ts'
import { inheritPriority } from '../client/priority.ts'
import type { TaskContext } from '../execution/context.ts'
import { orUnrecorded } from '../execution/unrecorded.ts'
import { TasksError } from '../kernel/errors.ts'
import type { Celeriac } from './app.ts'

/** What was kept is no longer there: those who wait for the end would wait for ever. */
const isGone = (error: unknown): boolean =>
  TasksError.is(error) && error.code === 'TASKS_RESULT_INVALID'

export function registerGoOn(app: Celeriac): void {
  const add = (
    name: string,
    run: (context: TaskContext, value: unknown, ref: string) => Promise<void>,
  ) =>
    app.registry.add({
      name,
      options: { ignoreResult: true, trail: false, delivery: {} },
      params: ['...given'],
      declared: { delivery: { ignoreResult: true } },
      run: async function () {
        const { args, kwargs, replyTo } = this.request
        // What was kept is still there after an outage: the message comes again, as one whose end is not recorded.
        await orUnrecorded(async () => {
          try {
            await run(this, args.at(-2), String(args.at(-1)))
          } catch (error) {
            if (typeof kwargs['last'] === 'string' && isGone(error)) {
              const { executor } = await app.setup()
              await executor.follower.failLast({ id: kwargs['last'], replyTo }, error)
            }
            throw error
          }
        })
      },
    })

  add(goOn, async ({ request }, value, ref) => {
    const services = await app.setup()
    const { outbox, ambient, replyTo, config } = services
    const block = await readBlock(await app.backend(), ref)
    const [first] = block.steps
    const planned = plan(fromWire(first), {
      nextId: ambient.nextId,
      replyTo: request.replyTo ?? replyTo,
      parentId: request.parentId,
      rootId: request.rootId,
      args: [value],
      chain: restOf(block, (next) =>
        keptSignature(goOn, { ref: next, last: block.last }, services.placeOf(goOn)),
      ),
    })
    const declared = (task: string) => services.declared(task)
    const { taskInheritParentPriority } = config
    await outbox.send(
      taskInheritParentPriority ? inheritPriority(planned, request.priority, declared) : planned,
    )
  })

  add(giveUp, async ({ request }, failedId, ref) => {
    const { executor } = await app.setup()
    await executor.follower.abandon(ref, String(failedId), request.rootId)
  })
}
