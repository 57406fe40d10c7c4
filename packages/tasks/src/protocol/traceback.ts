/**
 * The stack of a JavaScript error in the layout of a Python traceback: outermost call first, causes
 * before what they caused. Python peers parse such text when they raise remote errors, and every monitor
 * knows how to show it.
 */

const causeLine = 'The above exception was the direct cause of the following exception:'
const contextLine = 'During handling of the above exception, another exception occurred:'
const memberLine = 'The above exception is one of several in the following exception:'
/** Causes of causes; a chain that long is a loop. */
const mostCauses = 10

/** `describe` gives the last line of each part. Errors without a stack give that line alone. */
export function pythonTraceback(thrown: unknown, describe: (error: unknown) => string): string {
  const parts: string[] = []
  const seen = new Set<unknown>()
  for (let error = thrown; error !== undefined && !seen.has(error);) {
    seen.add(error)
    parts.unshift(membersOf(error, describe) + partOf(error, describe(error)))
    // What came from another process tells its causes itself.
    if (parts.length > mostCauses || !(error instanceof Error) || remoteTextOf(error)) break
    error = error.cause
  }
  return parts.join(`\n${causeLine}\n\n`)
}

/** The errors of an AggregateError, each before it. */
function membersOf(error: unknown, describe: (error: unknown) => string): string {
  if (!(error instanceof AggregateError)) return ''
  const members = (error.errors as unknown[]).slice(0, mostCauses)
  return members.map((one) => `${partOf(one, describe(one))}\n${memberLine}\n\n`).join('')
}

function partOf(error: unknown, lastLine: string): string {
  const remote = remoteTextOf(error)
  // What came from another process is more telling than the place where it was read.
  if (remote !== undefined) return remote.endsWith('\n') ? remote : `${remote}\n`
  const frames = error instanceof Error ? framesOf(error.stack) : []
  if (frames.length === 0) return `${lastLine}\n`
  return `Traceback (most recent call last):\n${frames.join('')}${lastLine}\n`
}

function remoteTextOf(error: unknown): string | undefined {
  const text = (error as { traceback?: unknown } | null)?.traceback
  return error instanceof Error && typeof text === 'string' ? text : undefined
}

/** `    at work (file:///srv/app.ts:3:9)` → `  File "/srv/app.ts", line 3, in work`. */
function framesOf(stack: unknown): string[] {
  if (typeof stack !== 'string') return []
  const frames: string[] = []
  for (const line of stack.split('\n')) {
    const call = line.trimStart()
    if (!call.startsWith('at ') || call === line) continue
    const bracket = call.endsWith(')') ? call.lastIndexOf(' (') : -1
    const place = bracket === -1 ? call.slice(3) : call.slice(bracket + 2, -1)
    const caller = bracket === -1 ? '<anonymous>' : call.slice(3, bracket)
    const match = /^(.*?):(\d+)(?::\d+)?$/.exec(place)
    // `<anonymous>` and `native` have no line.
    if (match === null) continue
    const file = match[1]!.replace(/^async /, '').replace(/^file:\/\//, '')
    frames.unshift(`  File "${file}", line ${match[2]}, in ${caller.replace(/^async /, '')}\n`)
  }
  return frames
}

/** An exception as a traceback tells it. */
export interface ToldException {
  readonly module: string
  readonly type: string
  /** Undefined when there is nothing but the type. */
  readonly text: string | undefined
}

/** What the exception of a traceback was raised from, the first cause first; empty when it had none. */
export function causesOf(traceback: string): ToldException[] {
  if (!traceback.includes(causeLine) && !traceback.includes(contextLine)) return []
  const parts = traceback.split(new RegExp(`^(?:${causeLine}|${contextLine})$`, 'm'))
  return parts.slice(0, -1).slice(-mostCauses).map(toldBy)
}

function toldBy(part: string): ToldException {
  const lines = part.trimEnd().split('\n')
  // A text may have many lines; those of the stack are indented.
  const stack = lines.findLastIndex((line) => /^(?: {2}|Traceback )/.test(line))
  const said = lines.slice(stack + 1).join('\n')
  const match = /^([A-Za-z_$][\w$.]*)(?:: ([^]*))?$/.exec(said)
  if (match === null) return { module: 'builtins', type: 'Exception', text: said }
  const dot = match[1]!.lastIndexOf('.')
  return {
    module: dot === -1 ? 'builtins' : match[1]!.slice(0, dot),
    type: match[1]!.slice(dot + 1),
    text: match[2],
  }
}
