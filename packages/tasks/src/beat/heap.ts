/** A binary heap: the value with the smallest key first. */

export interface HeapItem<T> {
  readonly key: number
  readonly value: T
}

export class Heap<T> {
  readonly #items: HeapItem<T>[] = []

  get size(): number {
    return this.#items.length
  }

  peek(): HeapItem<T> | undefined {
    return this.#items[0]
  }

  push(key: number, value: T): void {
    const items = this.#items
    let at = items.push({ key, value }) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (items[parent]!.key <= items[at]!.key) break
      this.#swap(parent, at)
      at = parent
    }
  }

  pop(): HeapItem<T> | undefined {
    const items = this.#items
    const first = items[0]
    const last = items.pop()
    if (first === last || last === undefined) return first
    items[0] = last
    for (let at = 0; ;) {
      const left = 2 * at + 1
      const right = left + 1
      let least = at
      if (left < items.length && items[left]!.key < items[least]!.key) least = left
      if (right < items.length && items[right]!.key < items[least]!.key) least = right
      if (least === at) return first
      this.#swap(least, at)
      at = least
    }
  }

  #swap(a: number, b: number): void {
    const item = this.#items[a]!
    this.#items[a] = this.#items[b]!
    this.#items[b] = item
  }
}
