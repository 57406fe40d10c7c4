/**
 * What comes after a task travels in its message, and a long workflow would repeat itself in each of them. Above a
 * size it is kept in the store of results instead, once, in blocks; the message carries a small task that goes on
 * from there, and one that tells who waits when it never will. Both are ours: Python runs everything between.
 */
import { stringifyJson } from '@celeriac/messaging/internal'
import type { ResultBackend } from '../backend/backend.ts'
import { fromWire, linkError, toWire, type Plan, type PlannedCall } from '../canvas/index.ts'
import { TasksError } from '../kernel/errors.ts'
import type { Embed, WireSignature } from '../protocol/task-message.ts'

/** The tasks of this package that go on with what was kept, or give it up. */
export const goOn = 'celeriac.go_on'
export const giveUp = 'celeriac.give_up'

/** What is kept under a reference. */
export interface Block {
  /** `chain`: steps that follow, first one first; `chord`: the body alone. */
  readonly kind: 'chain' | 'chord'
  readonly steps: readonly WireSignature[]
  /** Reference of what comes after these. */
  readonly next: string | null
  /** Id of the last of all steps, whose result somebody waits for: told when what was kept is gone. */
  readonly last?: string | undefined
}

export interface OffloadServices {
  /** Bytes of what may travel along. */
  readonly most: number
  nextId(): string
  backend(): Promise<ResultBackend>
  /** Where our own two tasks go, as wire options: whoever sends them on must know. */
  placeOf(task: string): Readonly<Record<string, unknown>>
}

/** Records of what is kept have this state, which nothing else has. */
const keptState = 'CELERIAC_KEPT'

export class Offload {
  readonly #services: OffloadServices

  constructor(services: OffloadServices) {
    this.#services = services
  }

  /** The same plan with smaller messages; what they no longer carry is kept before it is sent. */
  async apply(plan: Plan): Promise<Plan> {
    const blocks: { readonly ref: string; readonly block: Block }[] = []
    // Members of one header carry one body, and it is kept once.
    const bodies = new Map<WireSignature, WireSignature>()
    const sizes = new Map<WireSignature, number>()
    const small = (body: WireSignature): WireSignature => {
      const known = bodies.get(body)
      if (known) return known
      const made = this.#sizeOf(body, sizes) > this.#services.most ? this.#body(body, blocks) : body
      bodies.set(body, made)
      return made
    }
    const send = plan.send.map((call): PlannedCall => {
      const { chain, chord } = call.embed
      const embed = this.#shorter(call.embed, chain, blocks, sizes)
      const body = chord && small(chord)
      return embed === call.embed && body === chord
        ? call
        : { ...call, embed: body === chord ? embed : { ...embed, chord: body } }
    })
    if (blocks.length === 0) return plan
    const countdowns = plan.countdowns.map((one) => ({
      ...one,
      body: bodies.get(one.body) ?? one.body,
    }))
    await this.#keep(blocks)
    return { ...plan, send, countdowns }
  }

  #shorter(
    embed: Embed,
    chain: Embed['chain'],
    blocks: { ref: string; block: Block }[],
    sizes: Map<WireSignature, number>,
  ): Embed {
    if (!chain || chain.length < 2) return embed
    const total = chain.reduce((sum, step) => sum + this.#sizeOf(step, sizes), 0)
    if (total <= this.#services.most) return embed
    const ref = this.#chain(chain.toReversed(), blocks, sizes)
    const last = idOf(chain[0]!)
    return {
      ...embed,
      chain: [this.#kept(goOn, ref, last)],
      errbacks: [...(embed.errbacks ?? []), this.#kept(giveUp, ref, last)],
    }
  }

  /** Steps in blocks, the last one first, since each names the one after it. */
  #chain(
    steps: readonly WireSignature[],
    blocks: { ref: string; block: Block }[],
    sizes: Map<WireSignature, number>,
  ): string {
    const parts: WireSignature[][] = []
    let room = 0
    for (const step of steps) {
      const size = this.#sizeOf(step, sizes)
      if (parts.length === 0 || size > room) {
        parts.push([])
        room = this.#services.most
      }
      parts.at(-1)!.push(step)
      room -= size
    }
    let next: string | null = null
    const last = idOf(steps.at(-1)!)
    for (const part of parts.reverse()) {
      const ref = this.#services.nextId()
      blocks.push({
        ref,
        block: { kind: 'chain', steps: this.#tied(part, next, last), next, last },
      })
      next = ref
    }
    return next!
  }

  /** Whichever of these fails, what is kept after them will never run. */
  #tied(
    steps: readonly WireSignature[],
    next: string | null,
    last: string | undefined,
  ): readonly WireSignature[] {
    if (next === null) return steps
    const errback = fromWire(this.#kept(giveUp, next, last))
    return steps.map((step) => toWire(linkError(fromWire(step), errback)))
  }

  #body(body: WireSignature, blocks: { ref: string; block: Block }[]): WireSignature {
    const ref = this.#services.nextId()
    blocks.push({ ref, block: { kind: 'chord', steps: [body], next: null } })
    const last = idOf(body)
    const one = this.#kept(goOn, ref, last)
    const task_id = this.#services.nextId()
    return {
      ...one,
      options: { ...one.options, task_id, link_error: [this.#kept(giveUp, ref, last)] },
    }
  }

  #kept(task: typeof goOn | typeof giveUp, ref: string, last: string | undefined): WireSignature {
    return keptSignature(task, { ref, last }, this.#services.placeOf(task))
  }

  #sizeOf(signature: WireSignature, sizes: Map<WireSignature, number>): number {
    const known = sizes.get(signature)
    if (known !== undefined) return known
    const size = Buffer.byteLength(stringifyJson(signature))
    sizes.set(signature, size)
    return size
  }

  async #keep(blocks: readonly { readonly ref: string; readonly block: Block }[]): Promise<void> {
    const backend = await this.#services.backend()
    await backend.store(
      blocks.map(({ ref, block }) => ({
        id: ref,
        state: keptState,
        data: backend.encode({
          taskId: ref,
          status: keptState,
          result: block,
          traceback: null,
          children: null,
          dateDone: null,
        }),
      })),
    )
  }
}

function idOf({ options }: WireSignature): string | undefined {
  const id = options['task_id']
  return typeof id === 'string' ? id : undefined
}

/** One of our two tasks, about what is kept under a reference. */
export function keptSignature(
  task: typeof goOn | typeof giveUp,
  { ref, last }: { readonly ref: string; readonly last: string | undefined },
  place: Readonly<Record<string, unknown>>,
): WireSignature {
  const options = { ignore_result: true, ...place }
  const kwargs = last === undefined ? {} : { last }
  return { task, args: [ref], kwargs, options, subtask_type: null, immutable: false }
}

/** What is kept under a reference; `TASKS_RESULT_INVALID` when it is gone. */
export async function readBlock(backend: ResultBackend, ref: string): Promise<Block> {
  const [data] = await backend.read([ref])
  const record = data === undefined ? undefined : backend.decode(data)
  if (record?.status === keptState) return record.result as Block
  throw new TasksError(
    'TASKS_RESULT_INVALID',
    `the rest of this workflow (${ref}) is no longer in the result backend; it goes with resultExpires`,
  )
}

/** The steps of a block as a message carries them, last one first, with what goes on after them. */
export function restOf(
  { steps, next }: Block,
  after: (ref: string) => WireSignature,
): WireSignature[] {
  const rest = steps.slice(1).toReversed()
  return next === null ? rest : [after(next), ...rest]
}
