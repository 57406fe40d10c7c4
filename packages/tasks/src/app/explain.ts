/** `explain()`: what a workflow would do, with what this app knows of its tasks and its result backend. */
import { stringifyJson } from '@celeriac/messaging/internal'
import { dataOf, explain as explainData, type Explanation } from '../canvas/index.ts'
import type { AnySignature } from '../canvas/types.ts'
import { appOf } from './applied-signature.ts'

/**
 * The graph of a workflow, its messages and their bytes, and what is worth a warning; nothing is sent. `String()`
 * of it is for reading. Rejects with `TASKS_SIGNATURE_INVALID` for what cannot be run.
 */
export async function explain(signature: AnySignature): Promise<Explanation> {
  const app = appOf([signature])
  const { config } = await app.setup()
  const backend = await app.backend()
  const known = (task: string) => app.registry.find(task)
  return explainData(dataOf(signature), {
    isKnown: (task) => known(task) !== undefined,
    ignoresResult: (task) => known(task)?.options.ignoreResult ?? config.taskIgnoreResult,
    joins: backend.capabilities.joins,
    sizeOf: (value) => Buffer.byteLength(stringifyJson(value)),
  })
}
