/** Arguments and results against the schemas a task is declared with. */
import { InvalidTaskError, TasksError } from '../kernel/errors.ts'
import type { Redaction } from './runnable.ts'
import { check, type Schema } from '../kernel/schema.ts'

/** What the schema makes of the arguments; throws `InvalidTaskError` when it refuses them. */
export async function checkedArguments(
  task: string,
  schema: Schema<unknown, readonly unknown[]>,
  args: readonly unknown[],
  redact?: Redaction,
): Promise<unknown[]> {
  const checked = await check(schema as Schema, args, redact?.args !== undefined)
  if (!checked.ok) throw new InvalidTaskError(`${task} refuses its arguments: ${checked.problems}`)
  if (Array.isArray(checked.value)) return checked.value as unknown[]
  throw new InvalidTaskError(`the schema of ${task} must make a list of the arguments`)
}

/** What the schema makes of the result; throws `TASKS_RESULT_INVALID` when it refuses it. */
export async function checkedResult(
  task: string,
  schema: Schema,
  value: unknown,
  redact?: Redaction,
): Promise<unknown> {
  const checked = await check(schema, value, redact?.result)
  if (checked.ok) return checked.value
  throw new TasksError('TASKS_RESULT_INVALID', `${task} gave what it must not: ${checked.problems}`)
}
