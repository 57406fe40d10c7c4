/**
 * Short text for arguments and results, in the look of Python's `repr`, for headers, logs, events and
 * monitors. Display only; values under keys that look secret are shown as `'***'`.
 */

export interface DescribeOptions {
  /** Cut near this many characters; 1024 when absent. */
  readonly maxLength?: number
  /** False shows secrets too; true when absent. */
  readonly redact?: boolean
}

/** Any value. Never throws. */
export function describe(value: unknown, options?: DescribeOptions): string {
  throw new Error('not written yet')
}

/** Positional arguments, as Python shows a tuple: `(2, 3)`, `(1,)`, `()`. */
export function describeArgs(args: readonly unknown[], options?: DescribeOptions): string {
  throw new Error('not written yet')
}

/** Keyword arguments: `{'x': 1}`. */
export function describeKwargs(
  kwargs: Readonly<Record<string, unknown>>,
  options?: DescribeOptions,
): string {
  throw new Error('not written yet')
}
