/** Tasks for the type tests, one for each kind of parameter list. */
import type { Kw } from '../../src/canvas/types.ts'
import { remote, task } from './front.ts'

export const add = task('tasks.add', (x: number, y: number) => x + y)
export const show = task('tasks.show', async (n: number, digits?: number) => n.toFixed(digits))
export const upper = task('tasks.upper', (text: string) => text.toUpperCase())
export const notify = task('tasks.notify', (_text: string): void => {})
export const ping = task('tasks.ping', () => 'pong' as const)
export const sum = task('tasks.sum', (xs: readonly number[]) => xs.length)
export const len = task('tasks.len', (xs: readonly unknown[]) => xs.length)
export const pair = task('tasks.pair', (p: readonly [number, string]) => p[1].repeat(p[0]))
export const pow = task('tasks.pow', (x: number, e = 2) => x ** e)
export const total = task('tasks.total', (...xs: number[]) => xs.length)
export const maybe = task('tasks.maybe', (x: number) => (x > 0 ? x : 'negative'))
export const both = task('tasks.both', (v: number | string) => v)
export const same2 = task('tasks.generic', <T>(x: T) => x)
export const bound = task('tasks.bound', function (url: string) {
  return this.request.id + url
})
export const scaled = task(
  'tasks.scaled',
  (x: number, o: Kw<{ scale?: number; unit: string }>) => `${x * (o.scale ?? 1)}${o.unit}`,
)
export const train = remote<(dataset: string, epochs: number) => { loss: number }>('ml.train')
export const report = task('js.report', (r: { loss: number }) => r.loss)
// oxlint-disable-next-line typescript/no-explicit-any -- a task nobody has typed yet
export const legacy = remote<(...args: any[]) => any>('legacy.job')
export const opaque = remote<(id: number) => unknown>('legacy.unknown')

export const half = task('tasks.half', (n: number): number | undefined =>
  n > 1 ? n / 2 : undefined,
)
export const bye = task('tasks.bye', async (): Promise<void> => {})
export const scaledMaybe = task('tasks.scaledMaybe', (x: number, o?: Kw<{ unit?: string }>) => {
  return `${x}${o?.unit}`
})
export const save = task('tasks.save', (row: { readonly id: number; name: string }) => row.id)
export const broken = task('tasks.broken', (): never => {
  throw new Error('broken')
})
/** Error callbacks: of the id, of (request, error, traceback), and of the id with a note after it. */
export const clean = task('tasks.clean', (id: string) => id.length)
export const failing = task(
  'tasks.failing',
  (request: { readonly id: string }, error: Error, traceback: string) =>
    `${request.id}${error.message}${traceback}`,
)
export const noted = task('tasks.noted', (id: string, note: string) => `${id}${note}`)
