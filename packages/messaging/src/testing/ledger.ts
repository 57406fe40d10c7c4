/**
 * A ledger that no fault of a broker touches: an append-only file into which consumers write what they did,
 * in as many processes as there are, so that a test can count what was lost and what was done twice. A
 * process that is killed in the middle of a line loses that line only.
 */
import {
  appendFileSync,
  closeSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export interface LedgerRow {
  /** What was worked on. */
  readonly id: string
  readonly event: 'start' | 'end'
  readonly pid: number
  /** Milliseconds since 1970. */
  readonly at: number
}

export interface LedgerAccount {
  /** Of those that had to be done, the ones without an end. */
  readonly lost: readonly string[]
  /** Those that ended more than once. */
  readonly doubled: readonly string[]
  /** Those that began and did not end. */
  readonly unfinished: readonly string[]
  /** Those that ended, at least once. */
  readonly done: number
}

/** `Row`: what others write besides, when it is not written by `start` and `end` alone. */
export class Ledger<Row extends LedgerRow = LedgerRow> {
  /** Give it to other processes: `new Ledger(file)` there writes into the same ledger. */
  readonly file: string
  readonly #isOurs: boolean
  readonly #rows: Row[] = []
  readonly #starts = new Map<string, number>()
  readonly #ends = new Map<string, number>()
  /** Bytes read so far. */
  #read = 0

  /** A new ledger in a temporary folder, or that of a file. */
  constructor(file?: string) {
    this.#isOurs = file === undefined
    this.file = file ?? join(mkdtempSync(join(tmpdir(), 'ledger-')), 'ledger')
    if (this.#isOurs) writeFileSync(this.file, '')
  }

  /** In the file when it returns: one write, which the system does not mix with those of others. */
  note(id: string, event: LedgerRow['event']): void {
    const row: LedgerRow = { id, event, pid: process.pid, at: Date.now() }
    appendFileSync(this.file, `${JSON.stringify(row)}\n`)
  }

  start(id: string): void {
    this.note(id, 'start')
  }

  end(id: string): void {
    this.note(id, 'end')
  }

  /** Everything in it up to now, in the order of writing. */
  rows(): readonly Row[] {
    this.#catchUp()
    return this.#rows
  }

  /** How often each has ended, up to now. */
  ends(): ReadonlyMap<string, number> {
    this.#catchUp()
    return this.#ends
  }

  /** `due`: everything a broker confirmed, so that it has to be done. */
  account(due: Iterable<string>): LedgerAccount {
    this.#catchUp()
    return {
      lost: [...due].filter((id) => !this.#ends.has(id)),
      doubled: [...this.#ends].filter(([, count]) => count > 1).map(([id]) => id),
      unfinished: [...this.#starts]
        .filter(([id, count]) => count > (this.#ends.get(id) ?? 0))
        .map(([id]) => id),
      done: this.#ends.size,
    }
  }

  /** Removes a ledger that was made here. */
  dispose(): void {
    if (this.#isOurs) rmSync(dirname(this.file), { recursive: true, force: true })
  }

  #catchUp(): void {
    const bytes = Buffer.alloc(statSync(this.file).size - this.#read)
    if (bytes.length === 0) return
    const file = openSync(this.file, 'r')
    try {
      readSync(file, bytes, 0, bytes.length, this.#read)
    } finally {
      closeSync(file)
    }
    // The last line may still be half written.
    const whole = bytes.lastIndexOf(10) + 1
    this.#read += whole
    for (const line of bytes.toString('utf8', 0, whole).split('\n')) this.#add(line)
  }

  #add(line: string): void {
    let row: Row
    try {
      row = JSON.parse(line) as Row
    } catch {
      // Cut short by a kill: whoever wrote it had not done it yet.
      return
    }
    this.#rows.push(row)
    const counts = row.event === 'start' ? this.#starts : this.#ends
    counts.set(row.id, (counts.get(row.id) ?? 0) + 1)
  }
}
