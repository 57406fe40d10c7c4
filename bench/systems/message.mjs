// One message as Celery sends it, for every system of the messaging bench: 19 headers, a body of 81 bytes.
import { randomUUID } from 'node:crypto'

export const body = Buffer.from(
  JSON.stringify([[2, 3], {}, { callbacks: null, errbacks: null, chain: null, chord: null }]),
)

export function taskMessage() {
  const id = randomUUID()
  const headers = {
    lang: 'js',
    task: 'bench.noop',
    id,
    shadow: null,
    eta: null,
    expires: null,
    group: null,
    group_index: null,
    retries: 0,
    timelimit: [null, null],
    root_id: id,
    parent_id: null,
    argsrepr: '(2, 3)',
    kwargsrepr: '{}',
    origin: 'gen1@bench',
    ignore_result: false,
    replaced_task_nesting: 0,
    stamped_headers: null,
    stamps: {},
  }
  return { id, headers }
}

/** Prints the rate and the CPU of the work between two moments. */
export async function timed(count, work) {
  const cpu = process.cpuUsage()
  const began = performance.now()
  await work()
  const seconds = (performance.now() - began) / 1000
  const { user, system } = process.cpuUsage(cpu)
  console.log(JSON.stringify({ rate: count / seconds, cpuUs: (user + system) / count }))
}
