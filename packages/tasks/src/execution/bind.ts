/**
 * Python's keyword arguments → a JavaScript call. A keyword whose name is a parameter goes to that place;
 * the others come together as one last object. Pure.
 */
import { TasksError } from '../kernel/errors.ts'

/** Throws `TASKS_ARGUMENTS_INVALID` for a keyword that is given twice or that has no place to go. */
export function bindArguments(
  task: string,
  params: readonly string[] | undefined,
  args: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>>,
): unknown[] {
  const names = Object.keys(kwargs)
  if (names.length === 0) return [...args]
  const bound = [...args]
  const rest: Record<string, unknown> = {}
  let hasRest = false
  for (const name of names) {
    const at = params?.indexOf(name) ?? -1
    if (at < 0) {
      rest[name] = kwargs[name]
      hasRest = true
      continue
    }
    if (at < args.length) {
      throw invalid(task, `argument '${name}' was given twice, by its place and by its name`)
    }
    bound[at] = kwargs[name]
  }
  if (!hasRest) return bound
  // Without known parameters the object simply follows; with them it needs a free parameter.
  const at = params ? lastFree(params, bound, kwargs) : bound.length
  if (at === undefined) {
    throw invalid(
      task,
      `no parameter takes the keyword arguments ${Object.keys(rest).join(', ')}; its parameters are (${params!.join(', ')})`,
    )
  }
  bound[at] = rest
  return bound
}

/** The last parameter, when nothing else has been put there; a rest parameter always has room. */
function lastFree(
  params: readonly string[],
  bound: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>>,
): number | undefined {
  const last = params.length - 1
  if (last < 0) return undefined
  if (params[last]!.startsWith('...')) return Math.max(bound.length, last)
  return bound.length <= last && !(params[last]! in kwargs) ? last : undefined
}

/**
 * The parameter names a function's source shows; undefined when it cannot be told. Destructured ones
 * are shown as `{}`, which no keyword has as its name.
 */
export function parameterNames(source: string): readonly string[] | undefined {
  const plain = /^(?:async\s+)?([A-Za-z_$][\w$]*)\s*=>/.exec(source)
  if (plain) return [plain[1]!]
  const open = source.indexOf('(')
  if (open < 0) return undefined
  const names: string[] = []
  let depth = 0
  let quote = ''
  let start = open + 1
  for (let i = open; i < source.length; i++) {
    const c = source[i]!
    if (quote) {
      if (c === '\\') i++
      else if (c === quote) quote = ''
    } else if (c === '"' || c === "'" || c === '`') quote = c
    else if (c === '(' || c === '[' || c === '{') depth++
    else if (c === ')' || c === ']' || c === '}') depth--
    const ended = depth === 0 || (depth === 1 && c === ',')
    if (quote || !ended) continue
    const text = source.slice(start, i).trim()
    if (text !== '') names.push(nameIn(text))
    start = i + 1
    if (depth === 0) return names
  }
  return undefined
}

function nameIn(parameter: string): string {
  return /^(\.\.\.\s*)?[A-Za-z_$][\w$]*/.exec(parameter)?.[0].replaceAll(/\s/g, '') ?? '{}'
}

function invalid(task: string, why: string): TasksError {
  return new TasksError('TASKS_ARGUMENTS_INVALID', `${task}: ${why}`)
}
