/** Which entry of `taskRoutes` claims a task: exact names, globs, regular expressions, functions. */
import type { Queue } from '@celeriac/messaging'
import { TasksError } from '../kernel/errors.ts'
import {
  camelKeys,
  type Mapping,
  type RouteFunction,
  type RoutesSetting,
  type RouteTarget,
} from '../kernel/setting-shapes.ts'
import { isQueue } from './queue-setting.ts'

/** Execution options a route sets; `queue` is a name or a declaration. */
export type RouteOptions = Mapping & { readonly queue?: string | Queue | null }

/** Asks one entry of the list. */
type Rule = RouteFunction

/** The options of the first rule that claims the task, or undefined. */
export type FindRoute = (
  task: string,
  args: readonly unknown[],
  kwargs: Mapping,
  options: Mapping,
) => RouteOptions | undefined

/** Reads the setting once; throws `TASKS_ROUTE_INVALID` naming the entry that cannot be used. */
export function compileRoutes(routes: RoutesSetting | undefined): FindRoute | undefined {
  const rules = rulesOf(routes ?? {})
  if (rules.length === 0) return undefined
  return (task, args, kwargs, options) => {
    for (const rule of rules) {
      const target = rule(task, args, kwargs, options)
      if (target !== null && target !== undefined) return optionsOf(target, `for '${task}'`)
    }
    return undefined
  }
}

function rulesOf(routes: RoutesSetting): Rule[] {
  if (!Array.isArray(routes)) return ruleOf(routes, '')
  const list = routes as readonly unknown[]
  return list.flatMap((one, index) =>
    isPair(one) ? tableRule([one], `[${index}]`) : ruleOf(one, `[${index}]`),
  )
}

function ruleOf(one: unknown, at: string): Rule[] {
  if (typeof one === 'function') return [one as RouteFunction]
  if (one instanceof Map) return tableRule([...(one as Map<string | RegExp, RouteTarget>)], at)
  if (Array.isArray(one) && one.every(isPair)) return tableRule(one, at)
  if (typeof one === 'object' && one !== null && !Array.isArray(one)) {
    return tableRule(Object.entries(one) as [string, RouteTarget][], at)
  }
  throw new TasksError(
    'TASKS_ROUTE_INVALID',
    `taskRoutes${at} must be a mapping, a list of pairs or a function`,
  )
}

function isPair(one: unknown): one is readonly [string | RegExp, RouteTarget] {
  return (
    Array.isArray(one) &&
    one.length === 2 &&
    (typeof one[0] === 'string' || one[0] instanceof RegExp)
  )
}

/** Exact names first, then patterns in their order. */
function tableRule(
  pairs: readonly (readonly [string | RegExp, RouteTarget])[],
  at: string,
): Rule[] {
  if (pairs.length === 0) return []
  const exact = new Map<string, RouteTarget>()
  const patterns: [RegExp, RouteTarget][] = []
  for (const [name, target] of pairs) {
    optionsOf(target, `${at}['${name}']`)
    // A global expression would remember where it stopped.
    if (name instanceof RegExp) {
      patterns.push([new RegExp(name.source, name.flags.replaceAll(/[gy]/g, '')), target])
    } else if (name.includes('*')) patterns.push([globPattern(name), target])
    else exact.set(name, target)
  }
  return [(task) => exact.get(task) ?? patterns.find(([pattern]) => pattern.test(task))?.[1]]
}

/** `*` stands for at least one character, dots included; everything else for itself. */
export function globPattern(glob: string): RegExp {
  const parts = glob.split('*').map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'))
  return new RegExp(`^${parts.join('.+?')}$`, 's')
}

function optionsOf(target: RouteTarget, at: string): RouteOptions {
  if (typeof target === 'string' && target !== '') return { queue: target }
  if (isQueue(target)) return { queue: target }
  if (typeof target === 'object' && target !== null && !Array.isArray(target)) {
    return camelKeys(target as Mapping)
  }
  throw new TasksError(
    'TASKS_ROUTE_INVALID',
    `taskRoutes ${at} must lead to a queue's name, a queue or a mapping of options`,
  )
}
