/** A store in this process that counts who listens and how often it is asked, and timers that can be counted. */
import { systemAmbient, type Ambient, type Clock } from '@celeriac/messaging'
import type { StoredData } from '../../src/backend/backend.ts'
import { jsonResults } from '../../src/backend/result-codec.ts'
import type { ResultRecord } from '../../src/backend/result-record.ts'
import { MemoryBackend } from '../../src/backends/memory.ts'
import { groupTree, taskTree, type ResultTree } from '../../src/canvas/result-tree.ts'
import { AsyncResult } from '../../src/result/async-result.ts'
import { GroupResult, resultOf } from '../../src/result/group-result.ts'
import { ResultReader, type ReaderOptions } from '../../src/result/wait.ts'

export class CountingBackend extends MemoryBackend {
  readonly listeners = new Map<string, number>()
  mostListeners = 0
  subscriptions = 0
  readonly reads: number[] = []

  constructor(ambient: Ambient) {
    super(
      {
        url: '',
        expiresSeconds: 0,
        options: {},
        codec: jsonResults,
        config: {},
        replyTo: '',
        connection: () => {
          throw new Error('there is no broker')
        },
      },
      ambient,
    )
  }

  get listening(): number {
    return [...this.listeners.values()].reduce((sum, count) => sum + count, 0)
  }

  override async read(ids: readonly string[]) {
    this.reads.push(ids.length)
    return await super.read(ids)
  }

  override async subscribe(id: string, onData: (data: StoredData) => void) {
    const off = await super.subscribe(id, onData)
    this.subscriptions++
    this.listeners.set(id, (this.listeners.get(id) ?? 0) + 1)
    this.mostListeners = Math.max(this.mostListeners, this.listening)
    let isOff = false
    return () => {
      if (isOff) return
      isOff = true
      off()
      this.listeners.set(id, this.listeners.get(id)! - 1)
    }
  }
}

export function setUp(options: ReaderOptions = {}) {
  const timers = new Set<object>()
  const warnings: string[] = []
  const system = systemAmbient({})
  const clock: Clock = {
    now: () => system.clock.now(),
    monotonic: () => system.clock.monotonic(),
    after: (ms, run, how) => {
      const timer = {}
      timers.add(timer)
      const cancel = system.clock.after(
        ms,
        () => {
          timers.delete(timer)
          run()
        },
        how,
      )
      return () => {
        timers.delete(timer)
        cancel()
      }
    },
  }
  const log = {
    ...system.log,
    warn: (text: string) => void warnings.push(text),
  } as unknown as Ambient['log']
  const ambient: Ambient = { ...system, clock, log }
  const backend = new CountingBackend(ambient)
  const reader = new ResultReader(async () => backend, ambient, resultOf, options)
  return {
    backend,
    reader,
    timers,
    warnings,
    result: <R = unknown>(tree: ResultTree | string) => new AsyncResult<R>(tree, reader),
    group: (
      ids: readonly (string | ResultTree)[],
      id = 'group',
      parent: ResultTree | null = null,
    ) =>
      new GroupResult(
        groupTree(
          id,
          ids.map((one) => (typeof one === 'string' ? taskTree(one) : one)),
          parent,
        ),
        reader,
      ),
    store: (...records: (Partial<ResultRecord> & { readonly taskId: string })[]) =>
      backend.store(
        records.map((given) => {
          const record: ResultRecord = {
            status: 'SUCCESS',
            result: null,
            traceback: null,
            children: [],
            dateDone: null,
            ...given,
          }
          return { id: record.taskId, state: record.status, data: backend.encode(record) }
        }),
      ),
  }
}

/** A step of a chain after these. */
export function after(id: string, ...earlier: string[]): ResultTree {
  const parents = earlier.reduce<ResultTree | null>((parent, one) => taskTree(one, parent), null)
  return taskTree(id, parents)
}

export const failure = (message = 'x', excType = 'ValueError') => ({
  status: 'FAILURE',
  result: { exc_type: excType, exc_message: [message], exc_module: 'builtins' },
  traceback: `Traceback (most recent call last):\n  File "/t.py", line 3, in t\n${excType}: ${message}\n`,
})

/** Lets everything that is due happen. */
export const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5))

/** What a promise rejects with; made before it does, so that nothing is unhandled. */
export const caught = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => Promise.reject(new Error(`it gave ${String(value)}`)),
    (error: unknown) => error,
  )
