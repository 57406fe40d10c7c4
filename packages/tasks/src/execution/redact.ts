/** Arguments as others may see them: what a task marks as secret is hidden. Pure. */
import { describeArgs, describeKwargs } from '../kernel/describe.ts'
import type { Redaction, Runnable } from './runnable.ts'

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

/** What is secret about this call of a task. */
export function redactionOf(
  runnable: Pick<Runnable, 'options' | 'redactFor'> | undefined,
  call: Arguments,
): Redaction | undefined {
  return runnable?.redactFor?.(call) ?? runnable?.options.redact
}

/** The texts shown for arguments of which some are secret; undefined where none is. */
export function describeRedacted(
  call: Arguments,
  redact: Redaction | undefined,
  params: readonly string[] | undefined,
): { readonly argsRepr: string; readonly kwargsRepr: string } | undefined {
  if (redact?.args === undefined) return undefined
  const { args, kwargs } = redacted(call, redact, params)
  return { argsRepr: describeArgs(args), kwargsRepr: describeKwargs(kwargs) }
}
