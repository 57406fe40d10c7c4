/** Handles of results as the wire has them: `[[id, parent], members]`; members is null for a task. */

export type ResultTree = readonly [
  readonly [id: string, parent: ResultTree | null],
  readonly ResultTree[] | null,
]

/** A handle in the making: parents are found after their children. */
export interface ResultNode {
  readonly id: string
  readonly members: readonly ResultNode[] | null
  parent: ResultNode | null
}

export function taskNode(id: string): ResultNode {
  return { id, members: null, parent: null }
}

export function groupNode(id: string, members: readonly ResultNode[]): ResultNode {
  return { id, members, parent: null }
}

/** Puts `earlier` before the oldest ancestor of `node`. */
export function follow(node: ResultNode, earlier: ResultNode): void {
  let oldest = node
  while (oldest.parent !== null) oldest = oldest.parent
  oldest.parent = earlier
}

export function treeOf(node: ResultNode): ResultTree {
  // Not by recursion: a chain may have more steps than the stack has frames.
  const line: ResultNode[] = []
  for (let at: ResultNode | null = node; at !== null; at = at.parent) line.push(at)
  let tree: ResultTree | null = null
  for (const { id, members } of line.reverse()) {
    tree = [[id, tree], members === null ? null : members.map(treeOf)]
  }
  return tree!
}

/** The handle of one task. */
export function taskTree(id: string, parent: ResultTree | null = null): ResultTree {
  return [[id, parent], null]
}

/** The handle of a group. */
export function groupTree(
  id: string,
  members: readonly ResultTree[],
  parent: ResultTree | null = null,
): ResultTree {
  return [[id, parent], members]
}

/** The id a result is kept under. */
export function idOf(tree: ResultTree): string {
  return tree[0][0]
}

/** The tasks of a handle without what came before it: itself, or the members of a group, in order. */
export function leafIds([[id], members]: ResultTree): string[] {
  return members === null ? [id] : members.flatMap(leafIds)
}

/** Every task id in the tree, parents first, groups by their members; each once. */
export function taskIds(tree: ResultTree): string[] {
  const found = new Set<string>()
  collect(tree, found)
  return [...found]
}

function collect([[id, parent], members]: ResultTree, found: Set<string>): void {
  if (parent !== null) collect(parent, found)
  if (members === null) found.add(id)
  else for (const member of members) collect(member, found)
}

/** Reads a stored tree; undefined when the value is none. */
export function readTree(value: unknown): ResultTree | undefined {
  if (!Array.isArray(value) || value.length !== 2) return undefined
  const [head, members] = value as [unknown, unknown]
  // Python also writes a bare id where there is no parent.
  const [id, parentValue] = Array.isArray(head) ? (head as unknown[]) : [head, null]
  if (typeof id !== 'string') return undefined
  const parent = parentValue === null || parentValue === undefined ? null : readTree(parentValue)
  if (parent === undefined) return undefined
  if (members === null || members === undefined) return [[id, parent], null]
  if (!Array.isArray(members)) return undefined
  const trees: ResultTree[] = []
  for (const member of members) {
    const tree = readTree(member)
    if (tree === undefined) return undefined
    trees.push(tree)
  }
  return [[id, parent], trees]
}
