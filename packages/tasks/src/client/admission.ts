/** Whether the calls of a plan may be sent: those of unique tasks get their keys first, or are refused. */
import type { Plan, PlannedCall } from '../canvas/index.ts'
import type { Declared } from './outbox.ts'
import { claimOf, DuplicateTaskError, uniqueHeader, type Claim, type UniqueKeys } from './unique.ts'

export interface Admitted<P extends Plan> {
  /** The plan, its unique calls with their keys. */
  readonly plan: P
  /** A throttled call: the id that runs instead of all of this. */
  readonly instead: string | undefined
  /** It was not sent after all: the keys are given back. */
  withdraw(): Promise<void>
}

/** Undefined when nothing in it is unique, which is the rule. */
export function admission<P extends Plan>(
  plan: P,
  declared: (task: string) => Declared | undefined,
  keys: UniqueKeys,
): Promise<Admitted<P>> | undefined {
  const isUnique = plan.send.some(({ task }) => declared(task)?.unique !== undefined)
  return isUnique ? admit(plan, declared, keys) : undefined
}

async function admit<P extends Plan>(
  plan: P,
  declared: (task: string) => Declared | undefined,
  keys: UniqueKeys,
): Promise<Admitted<P>> {
  const held: { readonly claim: Claim; readonly id: string }[] = []
  const withdraw = async (): Promise<void> => {
    await Promise.all(held.map(({ claim, id }) => keys.withdraw(claim, id)))
  }
  const send: PlannedCall[] = []
  try {
    for (const call of plan.send) {
      const unique = declared(call.task)?.unique
      if (!unique) {
        send.push(call)
        continue
      }
      const claim = claimOf(call.task, unique.keyOf(call), unique.options)
      const holder = await keys.admit(claim, call.id)
      if (holder !== undefined) {
        // Only a call alone has a handle another one can stand for.
        if (claim.mode === 'throttle' && plan.send.length === 1)
          return { plan, instead: holder, withdraw }
        throw new DuplicateTaskError(call.task, claim.key, holder)
      }
      held.push({ claim, id: call.id })
      send.push(marked(call, claim))
    }
  } catch (error) {
    await withdraw()
    throw error
  }
  return { plan: { ...plan, send }, instead: undefined, withdraw }
}

/** Whoever runs it must know its key; a debounced one waits out its window. */
function marked(call: PlannedCall, { key, mode, forMs }: Claim): PlannedCall {
  const { options } = call
  const headers = { ...options.headers, [uniqueHeader]: key }
  const countdown = mode === 'debounce' ? { countdown: forMs / 1000 } : undefined
  return { ...call, options: { ...options, headers, ...countdown } }
}
