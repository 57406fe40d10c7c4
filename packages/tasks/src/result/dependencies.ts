/** The tree of tasks that a task has sent while it ran, and those have sent in turn. */
import { IncompleteStream } from '../kernel/errors.ts'
import type { AsyncResult, GetOptions } from './async-result.ts'
import { ResultGraph } from './graph.ts'
import type { Member } from './group-result.ts'

export interface DependencyOptions {
  /** Go on past tasks that have not ended; default false: `IncompleteStream`. */
  readonly intermediate?: boolean | undefined
}

export interface Dependency {
  /** What has sent it, or the group it is in; undefined for the root. */
  readonly parent: Member | undefined
  readonly node: Member
}

/** Every result of the tree, those near the root first; each once. Celery: `iterdeps`. */
export async function* dependencies(
  root: AsyncResult,
  { intermediate = false }: DependencyOptions,
): AsyncGenerator<Dependency> {
  const line: Dependency[] = [{ parent: undefined, node: root }]
  const seen = new Set([root.id])
  for (let next = 0; next < line.length; next++) {
    const { node } = line[next]!
    yield line[next]!
    if (!(await node.ready())) {
      if (!intermediate) throw new IncompleteStream(node.id)
      continue
    }
    for (const child of await childrenOf(node)) {
      // Python's tasks that were tried again are among their own children.
      if (seen.has(child.id)) continue
      seen.add(child.id)
      line.push({ parent: node, node: child })
    }
  }
}

async function childrenOf(node: Member): Promise<readonly Member[]> {
  return typeof node.children === 'function' ? await node.children() : node.children
}

/** Waits for each result of the tree in turn. */
export async function* collected(
  root: AsyncResult,
  { intermediate, ...options }: GetOptions & DependencyOptions,
): AsyncGenerator<readonly [Member, unknown]> {
  for await (const { node } of dependencies(root, { intermediate })) {
    yield [node, await node.get(options)]
  }
}

export async function graphOf(root: AsyncResult, options: DependencyOptions): Promise<ResultGraph> {
  const graph = new ResultGraph(root.id)
  for await (const { parent, node } of dependencies(root, options)) {
    graph.add(node.id)
    if (parent) graph.connect(parent.id, node.id)
  }
  return graph
}
