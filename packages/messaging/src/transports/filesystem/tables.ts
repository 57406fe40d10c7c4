/**
 * Bindings as Kombu keeps them in the control folder: one file for each exchange with a list of
 * `[routing key, pattern, queue]`, newest first. What Kombu does not keep (types of exchanges, which queues
 * were declared) lies in a folder of our own beside them.
 */
import { randomUUID } from 'node:crypto'
import { link, mkdir, open, readFile, rename, rm, stat, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sleep, type Clock } from '../../kernel/clock.ts'
import type { Binding } from '../../topology/binding.ts'
import { exchange as makeExchange, type Exchange } from '../../topology/exchange.ts'
import { kombuPattern } from '../../virtual/kombu-pattern.ts'
import { codeOf, ifThere, list, move, writeSafely } from './files.ts'
import { encodeName } from './names.ts'

type Row = readonly [routingKey: string, pattern: string, queue: string]

/** A lock whose holder died is broken after this long; the work under it takes a millisecond. */
const lockPatienceMs = 3000
const ending = '.exchange'

export class Tables {
  readonly #folder: string
  readonly #own: string
  readonly #clock: Clock

  constructor(controlFolder: string, clock: Clock) {
    this.#folder = controlFolder
    this.#own = join(controlFolder, '.celeriac')
    this.#clock = clock
  }

  async open(): Promise<void> {
    for (const name of ['exchanges', 'queues', 'locks'])
      await mkdir(join(this.#own, name), { recursive: true })
  }

  async declareQueue(name: string): Promise<void> {
    await writeFile(this.#queue(name), name)
  }

  async isDeclared(name: string): Promise<boolean> {
    return (await ifThere(stat(this.#queue(name)))) !== undefined
  }

  /** Forgets the queue and every binding to it. */
  async removeQueue(name: string): Promise<void> {
    await ifThere(unlink(this.#queue(name)))
    for (const file of await list(this.#folder)) {
      if (!file.endsWith(ending)) continue
      const rows = await this.#read(join(this.#folder, file))
      if (rows.some((row) => row[2] === name))
        await this.#change(file, (all) => all.filter((row) => row[2] !== name))
    }
  }

  async declareExchange({ name, type, durable, autoDelete, arguments: args }: Exchange) {
    const path = this.#exchange(name)
    const text = JSON.stringify({ name, type, durable, autoDelete, arguments: args })
    if ((await ifThere(readFile(path, 'utf8'))) === text) return
    const temporary = `${path}.${randomUUID()}`
    await writeSafely(temporary, text)
    await rename(temporary, path)
  }

  /**
   * As declared here. One that only Kombu declared is a topic when its bindings carry patterns; nothing
   * tells a direct one from a fanout, so that it can still be declared as either.
   */
  async findExchange(name: string): Promise<Exchange | undefined> {
    const text = await ifThere(readFile(this.#exchange(name), 'utf8'))
    if (text !== undefined) {
      const { type, durable, autoDelete, arguments: args } = JSON.parse(text) as Exchange
      return makeExchange(name, { type, durable, autoDelete, arguments: args })
    }
    const rows = await this.#read(this.#table(name))
    return rows.some((row) => row[1] !== '') ? makeExchange(name, { type: 'topic' }) : undefined
  }

  async removeExchange(name: string): Promise<void> {
    await ifThere(unlink(this.#exchange(name)))
    await ifThere(unlink(this.#table(name)))
  }

  async bind({ exchange, queue, routingKey }: Binding, type: Exchange['type']): Promise<void> {
    const pattern = type === 'topic' ? kombuPattern(routingKey) : ''
    const row: Row = [routingKey, pattern, queue]
    const isThere = (rows: readonly Row[]) => rows.some((other) => isSame(other, row))
    if (isThere(await this.#read(this.#table(exchange)))) return
    await this.#change(`${encodeName(exchange)}${ending}`, (rows) =>
      isThere(rows) ? rows : [row, ...rows],
    )
  }

  async unbind({ exchange, queue, routingKey }: Binding): Promise<void> {
    await this.#change(`${encodeName(exchange)}${ending}`, (rows) =>
      rows.filter((row) => row[0] !== routingKey || row[2] !== queue),
    )
  }

  async bindings(exchange: string): Promise<Binding[]> {
    const rows = await this.#read(this.#table(exchange))
    // Newest first in the file, in binding order here.
    return rows
      .map(([routingKey, , queue]) => ({ exchange, queue, routingKey, arguments: {} }))
      .toReversed()
  }

  #table(exchange: string): string {
    return join(this.#folder, `${encodeName(exchange)}${ending}`)
  }

  #exchange(name: string): string {
    return join(this.#own, 'exchanges', `${encodeName(name)}.json`)
  }

  #queue(name: string): string {
    return join(this.#own, 'queues', `${encodeName(name)}.queue`)
  }

  /** Kombu writes these files in place: one that is half written is whole a moment later. */
  async #read(path: string): Promise<Row[]> {
    for (let attempt = 0; ; attempt++) {
      const text = await ifThere(readFile(path, 'utf8'))
      if (text === undefined) return []
      try {
        return (JSON.parse(text) as unknown[]).filter(isRow)
      } catch (error) {
        if (attempt === 20) throw error
        await sleep(this.#clock, 10)
      }
    }
  }

  /**
   * Replaces a table by what `change` makes of it. Kombu locks the file itself, in a way that Node cannot:
   * what it wrote into the replaced file meanwhile is carried over.
   */
  async #change(file: string, change: (rows: Row[]) => readonly Row[]): Promise<void> {
    const path = join(this.#folder, file)
    const unlock = await this.#lock(file)
    const old = await ifThere(open(path, 'r'))
    try {
      const before = await this.#read(path)
      const after = change(before)
      if (after === before) return
      const temporary = join(this.#own, 'locks', randomUUID())
      await writeSafely(temporary, JSON.stringify(after))
      await rename(temporary, path)
      const late = old && (await this.#lateRows(await old.readFile('utf8'), before))
      if (late && late.length > 0) {
        await writeSafely(temporary, JSON.stringify([...late, ...after]))
        await rename(temporary, path)
      }
    } finally {
      await old?.close()
      await unlock()
    }
  }

  async #lateRows(text: string, before: readonly Row[]): Promise<Row[]> {
    try {
      const rows = (JSON.parse(text) as unknown[]).filter(isRow)
      return rows.filter((row) => !before.some((other) => isSame(row, other)))
    } catch {
      return []
    }
  }

  async #lock(file: string): Promise<() => Promise<void>> {
    const path = join(this.#own, 'locks', file)
    let holder: string | undefined
    let sinceMs = 0
    for (;;) {
      try {
        await writeFile(path, randomUUID(), { flag: 'wx' })
        return async () => await rm(path, { force: true })
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error
        const found = await ifThere(readFile(path, 'utf8'))
        const nowMs = this.#clock.monotonic()
        if (found !== holder) sinceMs = nowMs
        holder = found
        if (holder !== undefined && nowMs - sinceMs > lockPatienceMs) await breakLock(path, holder)
        else await sleep(this.#clock, 5 + 10 * Math.random())
      }
    }
  }
}

/** Aside first, to see that it is still the dead holder's: another may have broken it already. */
async function breakLock(path: string, holder: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`
  if (!(await move(path, aside))) return
  if ((await readFile(aside, 'utf8')) !== holder) await link(aside, path).catch(() => undefined)
  await rm(aside, { force: true })
}

function isRow(value: unknown): value is Row {
  return Array.isArray(value) && value.length === 3 && value.every((v) => typeof v === 'string')
}

function isSame(a: Row, b: Row): boolean {
  return a[0] === b[0] && a[1] === b[1] && a[2] === b[2]
}
