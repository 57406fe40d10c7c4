/** Runs signatures in the caller: `apply()`, and everything that is sent while `taskAlwaysEager` is on. */
import type { Message } from '@celeriac/messaging'
import { MemoryBackend } from '../backends/memory.ts'
import { jsonResults } from '../backend/result-codec.ts'
import type { Plan, PlannedCall, ResultTree } from '../canvas/index.ts'
import { EagerRun } from '../execution/eager.ts'
import { Recorder } from '../execution/record.ts'
import type { JobMessage } from '../kernel/job.ts'
import { clientName } from '../kernel/names.ts'
import { resultOf } from '../result/group-result.ts'
import { ResultReader } from '../result/wait.ts'
import type { Services } from './services.ts'

/** Runs the plan to its end; the reader has the results. */
export async function runEagerly(services: Services, plan: Plan): Promise<ResultReader> {
  const { ambient, config } = services
  const backend = new MemoryBackend(
    {
      url: '',
      expiresSeconds: 0,
      options: {},
      codec: jsonResults,
      config,
      replyTo: services.replyTo,
      connection: () => services.connection,
    },
    ambient,
  )
  const own = async (): Promise<MemoryBackend> => backend
  const recorder = new Recorder({ backend: own, codec: async () => jsonResults })
  const run = new EagerRun({
    backend,
    message: async (call) => jobOf(await services.outbox.message(call), call),
    executor: (outbox) => services.makeExecutor(outbox, recorder, true).execute,
  })
  await run.run(plan)
  const kept = run.reports.filter(
    ({ task }) =>
      services.find(task)?.options.storeEagerResult ?? services.config.taskStoreEagerResult,
  )
  const records = await backend.read(kept.map(({ id }) => id))
  for (const data of records)
    if (data !== undefined) await services.recorder.store(backend.decode(data))
  return new ResultReader(own, ambient, (tree: ResultTree, reader) => resultOf(tree, reader), {
    isOver: true,
    remoteTracebacks: config.taskRemoteTracebacks,
  })
}

function jobOf({ headers, properties, body }: Message, call: PlannedCall): JobMessage {
  const { exchange = '', routingKey = '', queue = '' } = call.options
  return {
    headers,
    properties: properties as JobMessage['properties'],
    body,
    hostname: clientName(),
    delivery: { exchange, routingKey, queue, redelivered: false, attempts: 0, isEager: true },
  }
}
