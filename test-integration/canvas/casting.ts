/**
 * The table of workflows played by two workers, a Python one and ours: who runs each of its tasks is drawn, and a
 * second drawing mirrors the first, so that every role is played in both languages.
 */
import {
  chain,
  chord,
  groupOf,
  RemoteError,
  TasksError,
  type AnySent,
  type Celeriac,
} from '@celeriac/tasks'
import type { CanvasCase, CaseSignature, CaseTasks } from '@celeriac/tasks/testing'

export type Language = 'js' | 'py'
export type Queues = Readonly<Record<Language, string>>

/** Says who runs the next task of a case. */
export type Casting = (name: string) => () => Language

/** What came of a case: a value, the class of an error, or that it could not even be sent. */
export type Ending =
  | { readonly value: unknown }
  | { readonly error: string }
  | { readonly refused: string; readonly why: string }

/** All by one. */
export const onlyBy =
  (language: Language): Casting =>
  () =>
  () =>
    language

/** Drawn for each task, the same every time; the mirrored one gives each task to the other. */
export function mixed(mirrored: boolean): Casting {
  return (name) => {
    let state = 0x811c9dc5
    for (const char of name) state = Math.imul(state ^ char.codePointAt(0)!, 0x01000193)
    return () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
      return state < 0 === mirrored ? 'py' : 'js'
    }
  }
}

type Loose = (...args: readonly unknown[]) => CaseSignature

/** Tasks by name, each sent to the queue of who is to run it. */
function castTasks(app: Celeriac, queues: Queues, next: () => Language): CaseTasks {
  const made = (name: string, how: (task: ReturnType<typeof remote>) => unknown): CaseSignature => {
    const language = next()
    const signature = how(remote(language, name)) as { set(options: object): unknown }
    return signature.set({ queue: queues[language] }) as CaseSignature
  }
  const remote = (language: Language, name: string) =>
    app.remote<(...args: never[]) => unknown>(`${language}.${name}`)
  const partial =
    (name: string): Loose =>
    (...args) =>
      made(name, (task) => (task.s as Loose)(...args))
  return {
    add: partial('add'),
    total: partial('total'),
    echo: partial('echo'),
    fail: partial('boom'),
    seven: () => made('seven', (task) => task.si()),
    chain: (...steps) => (chain as unknown as Loose)(...steps),
    group: (...members) => groupOf(members) as unknown as CaseSignature,
    chord: (header, body) => (chord as unknown as Loose)(header, body),
    map: (name, items) => made(name, (task) => (task.map as unknown as Loose)(items)),
    starmap: (name, items) => made(name, (task) => (task.starmap as unknown as Loose)(items)),
    chunks: (name, items, size) =>
      made(name, (task) => (task.chunks as unknown as Loose)(items, size)),
  }
}

const buildOf = (app: Celeriac, queues: Queues, casting: Casting, one: CanvasCase) =>
  one.build(castTasks(app, queues, casting(one.name)))

/** Sends it and waits; `timeout` in seconds. */
export async function endingOf(
  signature: AnySent,
  timeout: number,
  lead: readonly unknown[] = [],
): Promise<Ending> {
  try {
    return { value: await (await signature.applyAsync([...lead])).get({ timeout }) }
  } catch (error) {
    if (error instanceof RemoteError) return { error: error.excType }
    return { error: error instanceof TasksError ? error.code : String(error) }
  }
}

/** Sends them all at once from here and waits for all; `timeout` in seconds, of each by its name. */
export async function sentByUs(
  cases: readonly CanvasCase[],
  app: Celeriac,
  queues: Queues,
  casting: Casting,
  timeout: (name: string) => number,
): Promise<Record<string, Ending>> {
  const all = await Promise.all(
    cases.map(async (one) => {
      const signature = buildOf(app, queues, casting, one)
      return [one.name, await endingOf(signature, timeout(one.name), one.lead)] as const
    }),
  )
  return Object.fromEntries(all)
}

/** The same cases as they travel, for another program to send. */
export function written(
  cases: readonly CanvasCase[],
  app: Celeriac,
  queues: Queues,
  casting: Casting,
): Record<string, { readonly wire: object; readonly lead: readonly unknown[] }> {
  return Object.fromEntries(
    cases.map((one) => [
      one.name,
      { wire: buildOf(app, queues, casting, one).toJSON(), lead: one.lead ?? [] },
    ]),
  )
}

/** What must come of them. */
export function expected(cases: readonly CanvasCase[]): Record<string, Ending> {
  return Object.fromEntries(
    cases.map(({ name, value, error }) => [name, error === undefined ? { value } : { error }]),
  )
}
