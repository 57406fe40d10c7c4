/** The tasks an app knows, by name. */
import { didYouMean } from '@celeriac/messaging/internal'
import type { Runnable } from '../execution/runnable.ts'
import type { Declared } from '../client/outbox.ts'
import type { AnnotationsSetting } from '../config/options/structures.ts'
import { describeRedacted } from '../execution/redact.ts'
import { splitOptions, type TaskOptions } from './task-options.ts'
import { NotRegistered, TasksError } from '../kernel/errors.ts'

type AnnotationsByName = Readonly<Record<string, Readonly<Record<string, unknown>>>>

/** Settings of a Python fleet have their names in snake_case. */
const camelCase = (name: string): string =>
  name.replace(/_([a-z])/g, (_, c: string) => c.toUpperCase())

export class Registry {
  readonly #tasks = new Map<string, Runnable>()
  /** What is said of the messages of tasks that live elsewhere. */
  readonly #elsewhere = new Map<string, Declared>()
  #annotations: readonly AnnotationsByName[] = []
  /** Tasks with what settings change about them. */
  readonly #annotated = new Map<string, Runnable>()

  /** Throws `TASKS_ALREADY_REGISTERED` when the name is taken by another task. */
  add(task: Runnable): void {
    if (this.#tasks.has(task.name)) {
      throw new TasksError(
        'TASKS_ALREADY_REGISTERED',
        `a task '${task.name}' is registered already; names are unique in an app`,
      )
    }
    this.#tasks.set(task.name, task)
  }

  /** For a task that lives elsewhere; what is registered here speaks for itself. */
  declare(name: string, declared: Declared): void {
    this.#elsewhere.set(name, declared)
  }

  /** What messages of this task get from its declaration. */
  declared(name: string): Declared | undefined {
    return (this.find(name) ?? { declared: this.#elsewhere.get(name) }).declared
  }

  find(name: string): Runnable | undefined {
    if (this.#annotations.length === 0) return this.#tasks.get(name)
    return this.#annotated.get(name) ?? this.#annotate(name)
  }

  /**
   * Attributes that settings lay over those of tasks (Celery's task_annotations), by name or `*`; the first that
   * names an attribute wins, a name before `*`. Throws for an attribute no task has.
   */
  annotate(annotations: AnnotationsSetting | undefined): void {
    this.#annotations = annotations === undefined ? [] : [annotations].flat()
    this.#annotated.clear()
    for (const name of this.#tasks.keys()) if (this.#annotations.length > 0) this.#annotate(name)
  }

  #annotate(name: string): Runnable | undefined {
    const task = this.#tasks.get(name)
    if (!task) return undefined
    const laid: Record<string, unknown> = {}
    for (const one of this.#annotations) {
      for (const [attribute, value] of Object.entries({ ...one['*'], ...one[name] }))
        laid[camelCase(attribute)] ??= value
    }
    const { running, delivery } = splitOptions(name, laid as TaskOptions)
    const { redact, unique } = running
    if (unique) {
      throw new TasksError(
        'TASKS_CONFIG_INVALID',
        `taskAnnotations cannot make '${name}' unique; that is declared with the task`,
      )
    }
    const all = { ...task.options.delivery, ...delivery }
    const annotated: Runnable = {
      ...task,
      options: { ...task.options, ...running, delivery: all },
      declared: {
        ...task.declared,
        ...(redact && { describe: (one) => describeRedacted(one, redact, task.params) }),
        delivery: { ...task.declared.delivery, ...delivery },
      },
    }
    this.#annotated.set(name, annotated)
    return annotated
  }

  /** Throws `NotRegistered` with a suggestion. */
  get(name: string): Runnable {
    const task = this.find(name)
    if (!task) throw new NotRegistered(name, this.suggest(name))
    return task
  }

  suggest(name: string): string {
    return didYouMean(name, this.#tasks.keys())
  }

  get names(): readonly string[] {
    return [...this.#tasks.keys()].toSorted()
  }
}
