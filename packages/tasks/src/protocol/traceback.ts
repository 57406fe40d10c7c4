/**
 * The stack of a JavaScript error in the layout of a Python traceback: outermost call first, causes
 * before what they caused. Python peers parse such text when they raise remote errors, and every monitor
 * knows how to show it.
 */

const causeLine = 'The above exception was the direct cause of the following exception:'
/** Causes of causes; a chain that long is a loop. */
const mostCauses = 10

/** `describe` gives the last line of each part. Errors without a stack give that line alone. */
export function pythonTraceback(thrown: unknown, describe: (error: unknown) => string): string {
  const parts: string[] = []
  const seen = new Set<unknown>()
  for (let error = thrown; error !== undefined && !seen.has(error);) {
    seen.add(error)
    parts.unshift(partOf(error, describe(error)))
    if (parts.length > mostCauses || !(error instanceof Error)) break
    error = error.cause
  }
  return parts.join(`\n${causeLine}\n\n`)
}

function partOf(error: unknown, lastLine: string): string {
  const remote = (error as { traceback?: unknown } | null)?.traceback
  // What came from another process is more telling than the place where it was read.
  if (error instanceof Error && typeof remote === 'string') {
    return remote.endsWith('\n') ? remote : `${remote}\n`
  }
  const frames = error instanceof Error ? framesOf(error.stack) : []
  if (frames.length === 0) return `${lastLine}\n`
  return `Traceback (most recent call last):\n${frames.join('')}${lastLine}\n`
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
