/**
 * Workflows and what must come of them: one table for the eager interpreter, a worker in memory, live brokers, and
 * workers in other languages. Every case is built from five tasks, so whoever has those can run all of it.
 */
import type { AnySent } from '../app/typed.ts'

/** A signature as the cases put it together: of any task, with anything. */
export type CaseSignature = AnySent & {
  pipe(next: CaseSignature): CaseSignature
  link(next: CaseSignature): CaseSignature
  linkError(next: CaseSignature): CaseSignature
}

/** What a case is built from; each maker may give tasks of this or of another worker. */
export interface CaseTasks {
  /** `x + y`. */
  add(...args: unknown[]): CaseSignature
  /** The sum of a list of numbers, lists in it included. */
  total(...args: unknown[]): CaseSignature
  /** Its only argument. */
  echo(...args: unknown[]): CaseSignature
  /** Immutable; gives 7. */
  seven(): CaseSignature
  /** Takes anything and fails with a ValueError of the text `boom`. */
  fail(...args: unknown[]): CaseSignature
  chain(...steps: CaseSignature[]): CaseSignature
  group(...members: CaseSignature[]): CaseSignature
  chord(header: CaseSignature | CaseSignature[], body: CaseSignature): CaseSignature
  map(task: 'echo', items: unknown[]): CaseSignature
  starmap(task: 'add', items: unknown[][]): CaseSignature
  chunks(task: 'add', items: unknown[][], size: number): CaseSignature
}

export interface CanvasCase {
  readonly name: string
  build(t: CaseTasks): CaseSignature
  /** Arguments that are given when it is sent. */
  readonly lead?: readonly unknown[]
  /** What `get()` of its handle gives. */
  readonly value?: unknown
  /** The class of the error it throws instead, as Python calls it. */
  readonly error?: string
  /** It has a chord, which not every store can join. */
  readonly joins?: true
}

type Build = (t: CaseTasks) => CaseSignature

const gives = (
  name: string,
  value: unknown,
  build: Build,
  lead?: readonly unknown[],
): CanvasCase => ({
  name,
  build,
  value,
  ...(lead && { lead }),
})
const joins = (
  name: string,
  value: unknown,
  build: Build,
  lead?: readonly unknown[],
): CanvasCase => ({
  ...gives(name, value, build, lead),
  joins: true,
})
const fails = (
  name: string,
  error: string,
  build: Build,
  more: Partial<CanvasCase> = {},
): CanvasCase => ({
  name,
  build,
  error,
  ...more,
})

const chained: readonly CanvasCase[] = [
  gives('a task', 3, (t) => t.add(1, 2)),
  gives('a task with a partial', 5, (t) => t.add(3), [2]),
  gives('a chain of one', 3, (t) => t.chain(t.add(1, 2))),
  gives('a chain of two', 6, (t) => t.chain(t.add(1, 2), t.add(3))),
  gives('a chain of five', 15, (t) => t.chain(t.add(1, 2), t.add(3), t.add(4), t.add(2), t.add(3))),
  gives('a chain from a partial', 10, (t) => t.chain(t.add(3), t.add(4)), [3]),
  gives('a chain in a chain', 10, (t) => t.chain(t.add(1, 2), t.chain(t.add(3), t.add(4)))),
  gives('a chain of chains', 10, (t) =>
    t.chain(t.chain(t.add(1, 2), t.add(3)), t.chain(t.add(3), t.add(1))),
  ),
  gives('an immutable step', 7, (t) => t.chain(t.add(1, 2), t.seven())),
  gives('an immutable step in the middle', 9, (t) => t.chain(t.add(1, 2), t.seven(), t.add(2))),
  gives('steps by pipe', 6, (t) => t.add(1, 2).pipe(t.add(3))),
  gives('two chains by pipe', 11, (t) =>
    t.chain(t.add(1, 2), t.add(3)).pipe(t.chain(t.add(4), t.add(1))),
  ),
  gives('a chain of thirty', 31, (t) =>
    t.chain(t.add(1, 1), ...Array.from({ length: 29 }, () => t.add(1))),
  ),
  gives('a step that gives a list', [1, [2]], (t) => t.chain(t.echo([1, [2]]), t.echo())),
  gives('null between steps', null, (t) => t.chain(t.echo(null), t.echo())),
  gives('map', [1, 'two', [3]], (t) => t.map('echo', [1, 'two', [3]])),
  gives('starmap', [3, 7], (t) =>
    t.starmap('add', [
      [1, 2],
      [3, 4],
    ]),
  ),
  gives('a map before a step', 6, (t) => t.chain(t.map('echo', [1, 2, 3]), t.total())),
]

const grouped: readonly CanvasCase[] = [
  gives('a group', [3, 7], (t) => t.group(t.add(1, 2), t.add(3, 4))),
  gives('a group of one', [3], (t) => t.group(t.add(1, 2))),
  gives('a group from a partial', [11, 12], (t) => t.group(t.add(1), t.add(2)), [10]),
  gives('a group of groups', [3, 7, 11], (t) =>
    t.group(t.add(1, 2), t.group(t.add(3, 4), t.add(5, 6))),
  ),
  gives('a group of chains', [6, 4], (t) =>
    t.group(t.chain(t.add(1, 2), t.add(3)), t.chain(t.add(1, 1), t.add(2))),
  ),
  gives('a group at the end of a chain', [4, 5], (t) =>
    t.chain(t.add(1, 2), t.group(t.add(1), t.add(2))),
  ),
  gives('a group of one at the end of a chain', 4, (t) => t.chain(t.add(1, 2), t.group(t.add(1)))),
  gives('chunks', [[3, 7], [11]], (t) =>
    t.chunks(
      'add',
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      2,
    ),
  ),
  gives(
    'a group of thirty',
    Array.from({ length: 30 }, (_, i) => i + 1),
    (t) => t.group(...Array.from({ length: 30 }, (_, i) => t.add(i, 1))),
  ),
]

const joined: readonly CanvasCase[] = [
  joins('a chord', 10, (t) => t.chord([t.add(1, 2), t.add(3, 4)], t.total())),
  joins('a chord with a header of one', 3, (t) => t.chord([t.add(1, 2)], t.total())),
  joins('a chord of a group', 10, (t) => t.chord(t.group(t.add(1, 2), t.add(3, 4)), t.total())),
  joins('a chord with an empty header', 0, (t) => t.chord([], t.total())),
  joins('the order of a header', [3, 1, 2], (t) =>
    t.chord([t.echo(3), t.echo(1), t.echo(2)], t.echo()),
  ),
  joins('a group and a step', 10, (t) => t.chain(t.group(t.add(1, 2), t.add(3, 4)), t.total())),
  joins('a group and two steps', 11, (t) =>
    t.chain(t.group(t.add(1, 2), t.add(3, 4)), t.total(), t.add(1)),
  ),
  joins('a step, a group and a step', 15, (t) =>
    t.chain(t.add(1, 2), t.group(t.add(1), t.add(2), t.add(3)), t.total()),
  ),
  joins('a step, a group and two steps', 16, (t) =>
    t.chain(t.add(1, 2), t.group(t.add(1), t.add(2), t.add(3)), t.total(), t.add(1)),
  ),
  joins('two groups in a chain', [11, 12], (t) =>
    t.chain(t.group(t.add(1, 2), t.add(3, 4)), t.total(), t.group(t.add(1), t.add(2))),
  ),
  joins('group, step, group, step', 23, (t) =>
    t.chain(t.group(t.add(1, 2), t.add(3, 4)), t.total(), t.group(t.add(1), t.add(2)), t.total()),
  ),
  joins('a group before a group', [10, 10], (t) =>
    t.chain(t.group(t.add(1, 2), t.add(3, 4)), t.group(t.total(), t.total())),
  ),
  joins('a chord in a chain', 13, (t) =>
    t.chain(t.add(1, 2), t.chord([t.add(1), t.add(2)], t.total()), t.add(4)),
  ),
  joins('a chord before a chain', 12, (t) =>
    t.chord([t.add(1, 2), t.add(3, 4)], t.total()).pipe(t.chain(t.add(1), t.add(1))),
  ),
  joins('a chord whose body is a chain', 12, (t) =>
    t.chord([t.add(1, 2), t.add(3, 4)], t.chain(t.total(), t.add(2))),
  ),
  joins('a chord whose body is a group', [10, 10], (t) =>
    t.chord([t.add(1, 2), t.add(3, 4)], t.group(t.total(), t.total())),
  ),
  joins('chains in a header', 11, (t) =>
    t.chord([t.chain(t.add(1, 2), t.add(3)), t.add(2, 3)], t.total()),
  ),
  joins('a chord in a header', 13, (t) =>
    t.chord([t.chord([t.add(1, 2), t.add(3, 4)], t.total()), t.add(1, 2)], t.total()),
  ),
  joins('a group in a header', 21, (t) =>
    t.chord([t.add(1, 2), t.group(t.add(3, 4), t.add(5, 6))], t.total()),
  ),
  joins('a chain that ends in a group in a header', 12, (t) =>
    t.chord([t.chain(t.add(1, 2), t.group(t.add(1), t.add(2))), t.add(1, 2)], t.total()),
  ),
  joins('a chord whose body is a chord', 21, (t) =>
    t.chord(
      [t.add(1, 2), t.add(3, 4)],
      t.chord([t.total(), t.total()], t.chain(t.total(), t.add(1))),
    ),
  ),
  joins('three chords in a chain', 26, (t) =>
    t.chain(
      t.chord([t.add(1, 1), t.add(1, 1)], t.total()),
      t.chord([t.add(1), t.add(1)], t.total()),
      t.chord([t.add(1), t.add(1), t.add(1)], t.total()),
      t.add(-7),
    ),
  ),
  joins('chunks and a step', 21, (t) =>
    t.chain(
      t.chunks(
        'add',
        [
          [1, 2],
          [3, 4],
          [5, 6],
        ],
        2,
      ),
      t.total(),
    ),
  ),
  joins('an immutable body', 7, (t) => t.chord([t.add(1, 2), t.add(3, 4)], t.seven())),
  joins('a chord from a partial', 23, (t) => t.chord([t.add(1), t.add(2)], t.total()), [10]),
  joins('a wide header', 465, (t) =>
    t.chord(
      Array.from({ length: 30 }, (_, i) => t.add(i, 1)),
      t.total(),
    ),
  ),
]

const failing: readonly CanvasCase[] = [
  fails('a task that fails', 'ValueError', (t) => t.fail()),
  fails('the first step fails', 'ValueError', (t) => t.chain(t.fail(), t.add(1), t.add(2))),
  fails('the middle step fails', 'ValueError', (t) => t.chain(t.add(1, 2), t.fail(), t.add(2))),
  fails('the last step fails', 'ValueError', (t) => t.chain(t.add(1, 2), t.add(2), t.fail())),
  fails('a member of a group fails', 'ValueError', (t) => t.group(t.add(1, 2), t.fail())),
  fails('a header member fails', 'ChordError', (t) => t.chord([t.add(1, 2), t.fail()], t.total()), {
    joins: true,
  }),
  fails(
    'a header member fails before more steps',
    'ChordError',
    (t) => t.chain(t.group(t.add(1, 2), t.fail()), t.total(), t.add(1)),
    { joins: true },
  ),
  fails(
    'a step before a group fails',
    'ValueError',
    (t) => t.chain(t.fail(), t.group(t.add(1), t.add(2)), t.total()),
    { joins: true },
  ),
  fails('a body fails', 'ValueError', (t) => t.chord([t.add(1, 2), t.add(3, 4)], t.fail()), {
    joins: true,
  }),
  fails(
    'a chain in a header fails',
    'ChordError',
    (t) => t.chord([t.chain(t.add(1, 2), t.fail(), t.add(1)), t.add(1, 2)], t.total()),
    { joins: true },
  ),
  fails(
    'a chord in a header fails',
    'ChordError',
    (t) => t.chord([t.chord([t.add(1, 2), t.fail()], t.total()), t.add(1, 2)], t.total()),
    { joins: true },
  ),
]

/** All of them; names are unique. */
export const canvasCases: readonly CanvasCase[] = [...chained, ...grouped, ...joined, ...failing]
