/** Which task has sent which, as a graph. */

export class ResultGraph {
  /** Id of the result it was made from. */
  readonly root: string
  readonly #edges = new Map<string, string[]>()

  constructor(root: string) {
    this.root = root
  }

  /** Ids of tasks and groups, the root first. */
  get nodes(): readonly string[] {
    return [...this.#edges.keys()]
  }

  /** Pairs of ids: who has sent whom, or which group has which members. */
  get edges(): readonly (readonly [from: string, to: string])[] {
    return [...this.#edges].flatMap(([from, all]) => all.map((to) => [from, to] as const))
  }

  /** Ids that this one leads to. */
  childrenOf(id: string): readonly string[] {
    return this.#edges.get(id) ?? []
  }

  add(id: string): void {
    if (!this.#edges.has(id)) this.#edges.set(id, [])
  }

  connect(from: string, to: string): void {
    this.add(from)
    this.#edges.get(from)!.push(to)
  }

  /** As a text for Graphviz. */
  toDot(): string {
    const shown = (id: string): string => `"${id.replaceAll(/["\\]/g, '\\$&')}"`
    const lines = [
      ...this.nodes.map((id) => (id === this.root ? `${shown(id)} [style=bold]` : shown(id))),
      ...this.edges.map(([from, to]) => `${shown(from)} -> ${shown(to)}`),
    ]
    return `digraph results {\n  node [shape=oval]\n${lines.map((line) => `  ${line}\n`).join('')}}\n`
  }

  toJSON(): object {
    return { root: this.root, nodes: this.nodes, edges: this.edges }
  }
}
