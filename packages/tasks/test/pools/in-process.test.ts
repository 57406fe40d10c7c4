import { describe, expect, it } from '@jest/globals'
import type { ExecutionReport } from '../../src/kernel/report.ts'
import type { Job, JobEnd, PoolOptions } from '../../src/pool/pool.ts'
import { InProcessPool } from '../../src/pools/in-process.ts'

const report = { id: 'i', state: 'SUCCESS' } as ExecutionReport
const job = (limits: Partial<Job> = {}) => ({ id: 'i', task: 't', ...limits }) as Job

/** A pool whose one task has returned, and whose recording ends when told. */
function recording(limits?: Partial<Job>) {
  let recorded!: (report: ExecutionReport) => void
  const execute: PoolOptions['execute'] = (_message, control) => {
    expect(control.finish()).toBe(true)
    return new Promise((resolve) => (recorded = resolve))
  }
  const pool = new InProcessPool('async', 1, { execute } as PoolOptions)
  const ended = new Promise<JobEnd>((resolve) => {
    pool.submit(job(limits), { onAccepted: () => undefined, onEnd: resolve })
  })
  return { pool, ended, record: () => recorded(report) }
}

describe('a task that has returned and is being recorded', () => {
  it('ends by itself when the pool is terminated', async () => {
    const { pool, ended, record } = recording()
    await pool.terminate()
    record()

    expect(await ended).toEqual({ kind: 'ran', report })
  })

  it('is not found by who wants to end it', async () => {
    const { pool, ended, record } = recording()
    expect(pool.terminateJob('i', 'SIGTERM')).toBe(false)
    record()

    expect((await ended).kind).toBe('ran')
  })

  it('is not stopped by its hard limit', async () => {
    const { ended, record } = recording({ hardLimitMs: 1 })
    await new Promise((resolve) => setTimeout(resolve, 5))
    record()

    expect((await ended).kind).toBe('ran')
  })
})
