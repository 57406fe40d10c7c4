/**
 * The states of a task and how they rank. Custom states are any other text; wherever a state is asked
 * for, unknown ones are treated as Celery treats them: not ready, ranked between FAILURE and REVOKED.
 */

export const taskStates = [
  'PENDING',
  'RECEIVED',
  'STARTED',
  'SUCCESS',
  'FAILURE',
  'REVOKED',
  'REJECTED',
  'RETRY',
  'IGNORED',
] as const

/** PENDING also means: nobody has ever heard of this id. */
export type TaskState = (typeof taskStates)[number]

/** Nothing more will happen to the task. */
export const readyStates: ReadonlySet<string> = new Set(['SUCCESS', 'FAILURE', 'REVOKED'])

/** The task is waiting, running, or will run again. */
export const unreadyStates: ReadonlySet<string> = new Set([
  'PENDING',
  'RECEIVED',
  'STARTED',
  'REJECTED',
  'RETRY',
])

/** The stored result is an exception. */
export const exceptionStates: ReadonlySet<string> = new Set(['RETRY', 'FAILURE', 'REVOKED'])

/** Who waits for the result gets the exception thrown. */
export const propagateStates: ReadonlySet<string> = new Set(['FAILURE', 'REVOKED'])

const highestFirst = [
  'SUCCESS',
  'FAILURE',
  undefined,
  'REVOKED',
  'STARTED',
  'RECEIVED',
  'REJECTED',
  'RETRY',
  'PENDING',
]
const ranks = new Map(highestFirst.map((state, rank) => [state, rank]))
const customRank = ranks.get(undefined)!

/** Place in the order of states, 0 for the highest; custom states share one place. */
export function precedence(state: string): number {
  return ranks.get(state) ?? customRank
}

/** True when `state` ranks above `other`: reports that arrive late never lower a state. */
export function outranks(state: string, other: string): boolean {
  return precedence(state) < precedence(other)
}

export function isReady(state: string): boolean {
  return readyStates.has(state)
}
