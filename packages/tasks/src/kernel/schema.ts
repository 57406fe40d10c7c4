/** Values against a schema of any library that speaks Standard Schema (zod, valibot, arktype …). */
import type { StandardSchemaV1 } from '@standard-schema/spec'

/** A schema: what it takes, what it makes of it. */
export type Schema<Input = unknown, Output = Input> = StandardSchemaV1<Input, Output>

export type Checked =
  | { readonly ok: true; readonly value: unknown }
  /** A sentence for each thing that is wrong, with the path to it. */
  | { readonly ok: false; readonly problems: string }

/** Never throws for a value; rejects when the schema itself does. Texts of libraries may quote what is secret. */
export async function check(schema: Schema, value: unknown, isSecret = false): Promise<Checked> {
  const result = await schema['~standard'].validate(value)
  if (result.issues === undefined) return { ok: true, value: result.value }
  const problems = result.issues.map(({ message: said, path }) => {
    const message = isSecret ? 'is not what it should be' : said
    const keys = (path ?? []).map((part) => String(typeof part === 'object' ? part.key : part))
    return keys.length === 0 ? message : `${keys.join('.')}: ${message}`
  })
  return { ok: false, problems: problems.join('; ') }
}
