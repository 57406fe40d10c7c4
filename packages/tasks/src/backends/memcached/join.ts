/**
 * Joins on Memcached as Celery makes them: the group is saved, one number counts its parts, and the values
 * are in the members' records. A part that is delivered again is known by a key of its own, and so is not
 * counted again.
 */
import type { CountdownPart, CountdownStep } from '../../backend/backend.ts'
import type { ResultCodec } from '../../backend/result-codec.ts'
import { groupTree, leafIds, readTree, type ResultTree } from '../../canvas/index.ts'
import { TasksError } from '../../kernel/errors.ts'
import type { CeleryKeys } from '../celery-keys.ts'
import type { Store } from './store.ts'

const one = Buffer.from('1')
const begun = Buffer.from('0')
const ready: ReadonlySet<string> = new Set(['SUCCESS', 'FAILURE', 'REVOKED'])

export class Joins {
  readonly #store: Store
  readonly #keys: CeleryKeys
  readonly #codec: ResultCodec

  constructor(store: Store, keys: CeleryKeys, codec: ResultCodec) {
    this.#store = store
    this.#keys = keys
    this.#codec = codec
  }

  async start(groupId: string, members: readonly ResultTree[]): Promise<void> {
    await Promise.all([
      this.#store.set(this.#keys.chord(groupId), begun),
      this.#store.set(this.#sizeKey(groupId), number(members.length)),
      this.saveGroup(groupId, groupTree(groupId, members)),
    ])
  }

  /** The group itself gets a member more, so that joining finds its value, too. */
  async extend(groupId: string, taskId: string): Promise<void> {
    const tree = await this.#store.update(this.#keys.group(groupId), (found) => {
      const before = (found && this.#readGroup(found)) ?? groupTree(groupId, [])
      const members = before[1] ?? []
      if (members.some(([[id]]) => id === taskId)) return undefined
      return this.#groupData([before[0], [...members, [[taskId, null], null]]])
    })
    const size = this.#readGroup(tree)?.[1]?.length ?? 0
    // Never less: another may have been added meanwhile.
    await this.#store.update(this.#sizeKey(groupId), (found) =>
      found && Number(found) >= size ? undefined : number(size),
    )
  }

  async step({ groupId, taskId }: CountdownPart): Promise<CountdownStep> {
    const counter = this.#keys.chord(groupId)
    const count = await this.#count(groupId, taskId, counter)
    if (count === undefined) return { kind: 'waiting' }
    const size = await this.#size(groupId)
    if (count < size) {
      await this.#store.touch(counter)
      return { kind: 'waiting' }
    }
    // More than there are: a part was counted twice, so the number alone proves nothing.
    const isSure = count === size && !(await this.#store.get(this.#unsureKey(groupId)))
    const isComplete = isSure || (await this.#isReady(groupId))
    return isComplete ? { kind: 'complete', parts: undefined } : { kind: 'waiting' }
  }

  async end(groupId: string): Promise<void> {
    const tree = await this.group(groupId)
    const parts = tree ? leafIds(tree) : []
    await this.#store.delete([
      // First: what is counted without it is over.
      this.#keys.chord(groupId),
      this.#keys.group(groupId),
      this.#sizeKey(groupId),
      this.#unsureKey(groupId),
      ...parts.map((id) => this.#partKey(groupId, id)),
    ])
  }

  async saveGroup(groupId: string, tree: ResultTree): Promise<void> {
    await this.#store.set(this.#keys.group(groupId), this.#groupData(tree))
  }

  async group(groupId: string): Promise<ResultTree | undefined> {
    const found = await this.#store.get(this.#keys.group(groupId))
    return found && this.#readGroup(found)
  }

  /**
   * The number of parts, with this one counted once; undefined when there is nothing to count. A process
   * that dies between the two steps leaves open whether it counted: whoever gets the part next counts it,
   * perhaps again, and says that the number is no proof any more.
   */
  async #count(groupId: string, taskId: string, counter: string): Promise<number | undefined> {
    const key = this.#partKey(groupId, taskId)
    const isNew = await this.#store.add(key, begun)
    if (!isNew && String(await this.#store.get(key)) === '1') {
      const found = await this.#store.get(counter)
      return found && Number(found)
    }
    if (!isNew) await this.#store.set(this.#unsureKey(groupId), one)
    const count = await this.#store.increment(counter)
    await this.#store.set(key, one)
    return count
  }

  async #size(groupId: string): Promise<number> {
    const said = await this.#store.get(this.#sizeKey(groupId))
    if (said) return Number(said)
    // Sent by Python, which counts every task of the header.
    const tree = await this.group(groupId)
    if (tree?.[1]) return leafIds(tree).length
    const text = `the group ${groupId} of a chord is not on Memcached any more; its parts cannot be joined`
    throw new TasksError('TASKS_RESULT_INVALID', text)
  }

  async #isReady(groupId: string): Promise<boolean> {
    const tree = await this.group(groupId)
    if (!tree?.[1]) return false
    const keys = leafIds(tree).map((id) => this.#keys.record(id))
    const found = await this.#store.getMany(keys)
    return found.every((data) => data && ready.has(this.#codec.decodeRecord(data).status))
  }

  #readGroup(data: Buffer): ResultTree | undefined {
    return readTree((this.#codec.decode(data) as { result?: unknown } | null)?.result)
  }

  #groupData(tree: ResultTree): Buffer {
    return Buffer.from(this.#codec.encode({ result: tree }))
  }

  #sizeKey(groupId: string): string {
    return `${this.#keys.prefix}celeriac:size:${groupId}`
  }

  #unsureKey(groupId: string): string {
    return `${this.#keys.prefix}celeriac:unsure:${groupId}`
  }

  #partKey(groupId: string, taskId: string): string {
    return `${this.#keys.prefix}celeriac:counted:${groupId}:${taskId}`
  }
}

function number(value: number): Buffer {
  return Buffer.from(String(value))
}
