/** Arguments as others may see them: what a task marks as secret is hidden. Pure. */
import type { Redaction } from './runnable.ts'

const hidden = '***'

export interface Arguments {
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
}

/** `params` are the names of the task's parameters, so that a name also hides the place it has. */
export function redacted(
  { args, kwargs }: Arguments,
  redact: Redaction | undefined,
  params: readonly string[] | undefined,
): Arguments {
  if (redact?.args === undefined) return { args, kwargs }
  const marked = redact.args === true ? undefined : new Set(redact.args)
  const isHidden = (place: number | undefined, name: string | undefined): boolean =>
    marked === undefined ||
    (place !== undefined && marked.has(place)) ||
    (name !== undefined && marked.has(name))
  return {
    args: args.map((arg, i) => (isHidden(i, params?.[i]) ? hidden : arg)),
    kwargs: Object.fromEntries(
      Object.entries(kwargs).map(([name, value]) => {
        const place = params?.indexOf(name) ?? -1
        return [name, isHidden(place < 0 ? undefined : place, name) ? hidden : value]
      }),
    ),
  }
}
