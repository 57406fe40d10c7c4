/**
 * Random workflows, what must come of them, and the same as signatures. The prediction follows the meaning of the
 * parts (what a chain, a group and a chord are), not how they are planned.
 */
import fc from 'fast-check'

/** Error callbacks hang on tasks and on chains; what groups and chords do with theirs is told by the unit tests. */
export type Tree =
  | {
      readonly kind: 'task'
      readonly fails: boolean
      readonly takes: boolean
      readonly link: boolean
      readonly errback: boolean
      readonly label: number
    }
  | {
      readonly kind: 'chain'
      readonly steps: readonly Tree[]
      readonly errback: boolean
      readonly label: number
    }
  | { readonly kind: 'group'; readonly members: readonly Tree[]; readonly label: number }
  | {
      readonly kind: 'chord'
      readonly header: readonly Tree[]
      readonly body: Tree
      readonly label: number
    }

/** Labels are given afterwards, so that each is its own. */
const { tree } = fc.letrec<{ tree: Tree; task: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    { weight: 3, arbitrary: tie('task') },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('chain' as const),
        steps: fc.array(tie('tree'), { minLength: 1, maxLength: 4 }),
        errback: fc.boolean(),
        label: fc.constant(0),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('group' as const),
        members: fc.array(tie('tree'), { minLength: 2, maxLength: 4 }),
        label: fc.constant(0),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('chord' as const),
        header: fc.array(tie('tree'), { minLength: 1, maxLength: 4 }),
        body: tie('tree'),
        label: fc.constant(0),
      }),
    },
  ),
  task: fc.record({
    kind: fc.constant('task' as const),
    fails: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    takes: fc.integer({ min: 0, max: 4 }).map((n) => n > 0),
    link: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
    errback: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
    label: fc.constant(0),
  }),
}))

/** Workflows with labels of their own, from 1. */
export const trees: fc.Arbitrary<Tree> = tree.map((one) => labelled(one, { next: 1 }))

function labelled(one: Tree, count: { next: number }): Tree {
  const label = count.next++
  const all = (list: readonly Tree[]): Tree[] => list.map((each) => labelled(each, count))
  switch (one.kind) {
    case 'task':
      return { ...one, label }
    case 'chain':
      return { ...one, label, steps: all(one.steps) }
    case 'group':
      return { ...one, label, members: all(one.members) }
    case 'chord':
      return { ...one, label, header: all(one.header), body: labelled(one.body, count) }
  }
}

/** What comes of a workflow: its value or the classes its error may be of, and which callbacks ran how often. */
export interface Prediction {
  readonly value?: unknown
  /** With several failed members it is chance which of them is told first. */
  readonly errors?: readonly string[]
  /** Links and error callbacks that ran, sorted, with repetitions. */
  readonly notes: readonly string[]
}

type Outcome = { readonly value: unknown } | { readonly errors: ReadonlySet<string> }
type Task = Extract<Tree, { kind: 'task' }>

const failed = (...classes: string[]): Outcome => ({ errors: new Set(classes) })

/** A task gives its label, and with it what came in. */
export function predict(one: Tree): Prediction {
  const oracle = new Oracle()
  oracle.hand(one, [])
  const outcome = oracle.run(stepsOf(one), undefined)
  const notes = oracle.notes.toSorted()
  return 'value' in outcome
    ? { value: outcome.value, notes }
    : { errors: [...outcome.errors].toSorted(), notes }
}

/** A chain is its steps, and chains in it are theirs. */
function stepsOf(one: Tree): readonly Tree[] {
  return one.kind === 'chain' ? one.steps.flatMap(stepsOf) : [one]
}

/** A group in a group, or alone in a chain, is its members. */
function membersOf(one: Tree): readonly Tree[] {
  if (one.kind === 'group') return one.members.flatMap(membersOf)
  const steps = stepsOf(one)
  return steps.length === 1 && steps[0]!.kind === 'group' ? membersOf(steps[0]!) : [one]
}

function partsOf(one: Tree): readonly Tree[] {
  switch (one.kind) {
    case 'task':
      return []
    case 'chain':
      return one.steps
    case 'group':
      return one.members
    case 'chord':
      return [...one.header, one.body]
  }
}

class Oracle {
  readonly notes: string[] = []
  readonly #errbacks = new Map<Task, readonly number[]>()

  /** Whose failure an error callback is told of: its task's, or that of any task of its chain. */
  hand(one: Tree, around: readonly number[]): void {
    const own = 'errback' in one && one.errback ? [...around, one.label] : around
    if (one.kind === 'task') this.#errbacks.set(one, own)
    for (const part of partsOf(one)) this.hand(part, own)
  }

  /** Steps one after the other. A group before a step is a header, and that step the beginning of its body. */
  run(steps: readonly Tree[], input: Outcome | undefined): Outcome {
    const [first, ...rest] = steps
    switch (first!.kind) {
      case 'task': {
        const outcome = this.#task(first as Task, input)
        return rest.length === 0 || 'errors' in outcome ? outcome : this.run(rest, outcome)
      }
      case 'chain':
        return this.run([...stepsOf(first!), ...rest], input)
      case 'group': {
        const members = membersOf(first!)
        if (rest.length > 0) return this.#joined(members, rest, input)
        return listed(members.map((member) => this.run(stepsOf(member), input)))
      }
      case 'chord': {
        const { header, body } = first as Extract<Tree, { kind: 'chord' }>
        return this.#joined(header.flatMap(membersOf), [...stepsOf(body), ...rest], input)
      }
    }
  }

  #task(task: Task, input: Outcome | undefined): Outcome {
    if (task.fails) {
      this.#call(task)
      return failed('ValueError')
    }
    if (task.link) this.notes.push(`link ${task.label}`)
    const given = task.takes && input && 'value' in input ? [input.value] : []
    return { value: [task.label, ...given] }
  }

  /** All members run, whatever becomes of the others; then the body, or what was to begin it is told. */
  #joined(members: readonly Tree[], body: readonly Tree[], input: Outcome | undefined): Outcome {
    const outcome = listed(members.map((member) => this.run(stepsOf(member), input)))
    if ('value' in outcome) return this.run(body, outcome)
    this.#tellBeginning(body)
    return failed('ChordError')
  }

  #tellBeginning(steps: readonly Tree[]): void {
    const [first, ...rest] = steps
    switch (first!.kind) {
      case 'task':
        return this.#call(first as Task)
      case 'chain':
        return this.#tellBeginning([...stepsOf(first!), ...rest])
      case 'group':
        if (rest.length > 0) return this.#tellBeginning(rest)
        for (const member of membersOf(first!)) this.#tellBeginning(stepsOf(member))
        return
      case 'chord':
        return this.#tellBeginning([
          ...stepsOf((first as Extract<Tree, { kind: 'chord' }>).body),
          ...rest,
        ])
    }
  }

  #call(task: Task): void {
    for (const label of this.#errbacks.get(task)!) this.notes.push(`error ${label}`)
  }
}

function listed(outcomes: readonly Outcome[]): Outcome {
  const errors = outcomes.flatMap((one) => ('errors' in one ? [...one.errors] : []))
  if (errors.length > 0) return failed(...errors)
  return { value: outcomes.map((one) => (one as { value: unknown }).value) }
}
