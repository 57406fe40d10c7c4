/** The two tasks that go on with what a message was too small for, or give it up (see client/offload.ts). */
import { fromWire, plan } from '../canvas/index.ts'
import { giveUp, goOn, keptSignature, readBlock, restOf } from '../client/offload.ts'
import type { TaskContext } from '../execution/context.ts'
import { orUnrecorded } from '../execution/unrecorded.ts'
import type { Celeriac } from './app.ts'

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
      run: async function (...given: unknown[]) {
        // What was kept is still there after an outage: the message comes again, as one whose end is not recorded.
        await orUnrecorded(() => run(this, given.at(-2), String(given.at(-1))))
      },
    })

  add(goOn, async ({ request }, value, ref) => {
    const services = await app.setup()
    const { outbox, ambient, replyTo } = services
    const block = await readBlock(await app.backend(), ref)
    const [first] = block.steps
    await outbox.send(
      plan(fromWire(first), {
        nextId: ambient.nextId,
        replyTo: request.replyTo ?? replyTo,
        parentId: request.parentId,
        rootId: request.rootId,
        args: [value],
        chain: restOf(block, (next) => keptSignature(goOn, next, services.placeOf(goOn))),
      }),
    )
  })

  add(giveUp, async ({ request }, failedId, ref) => {
    const { executor } = await app.setup()
    await executor.follower.abandon(ref, String(failedId), request.rootId)
  })
}
