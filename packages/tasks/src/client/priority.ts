/** What a task sends takes the priority of the task, where neither the call nor its declaration has one. */
import type { Plan } from '../canvas/index.ts'
import type { Declared } from './outbox.ts'

/** Celery: `task_inherit_parent_priority`; `priority` is that of the task that sends. Pure. */
export function inheritPriority<P extends Plan>(
  plan: P,
  priority: number | undefined,
  declared: (task: string) => Declared | undefined,
): P {
  if (priority === undefined) return plan
  const send = plan.send.map((call) => {
    const { task, options } = call
    if ((options.priority ?? declared(task)?.delivery.priority) !== undefined) return call
    return { ...call, options: { ...options, priority } }
  })
  return { ...plan, send }
}
