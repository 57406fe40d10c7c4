/** What every execution pool must do, as a suite that any test runner can drive. */
import assert from 'node:assert/strict'
import type { Runner } from '@celeriac/messaging/testing'
import type { ExecutionPool, Job, JobEnd } from '../pool/pool.ts'

/** Tasks the pool under test must know; `test/pools/app.ts` of this package has them. */
export type SuiteTask = 'double' | 'fail' | 'sleep' | 'spin' | 'crash' | 'untilSoft'

export interface PoolHarness {
  readonly name: string
  /** Ends a task that does not cooperate. */
  readonly stopsByForce: boolean
  make(options: { concurrency: number; maxTasksPerChild?: number }): ExecutionPool
  /** A job that calls one of the suite's tasks with one argument. */
  job(task: SuiteTask, argument: number, limits?: { softMs?: number; hardMs?: number }): Job
}

/** Submits a job; resolves with how it ended. */
export function run(pool: ExecutionPool, job: Job, onAccepted?: (pid: number) => void) {
  return new Promise<JobEnd>((resolve) => {
    pool.submit(job, { onAccepted: onAccepted ?? (() => undefined), onEnd: resolve })
  })
}

function summaryOf(end: JobEnd): string {
  return end.kind === 'ran' ? `${end.report.state} ${end.report.summary}` : end.kind
}

export function poolSuite({ describe, it }: Runner, harness: PoolHarness): void {
  const withPool =
    (
      options: Parameters<PoolHarness['make']>[0],
      body: (pool: ExecutionPool) => Promise<void>,
    ): (() => Promise<void>) =>
    async () => {
      const pool = harness.make(options)
      await pool.start()
      try {
        await body(pool)
      } finally {
        await pool.terminate()
      }
    }

  describe(`pool: ${harness.name}`, () => {
    it(
      'runs a job and reports its result',
      withPool({ concurrency: 1 }, async (pool) => {
        let pid = 0
        const end = await run(pool, harness.job('double', 21), (accepted) => (pid = accepted))

        assert.equal(summaryOf(end), 'SUCCESS 42')
        assert.ok(pid > 0)
        assert.ok(pool.info().processes.includes(pid))
      }),
    )

    it(
      'reports what a job throws, and goes on',
      withPool({ concurrency: 1 }, async (pool) => {
        const failed = await run(pool, harness.job('fail', 1))
        const after = await run(pool, harness.job('double', 1))

        assert.equal(failed.kind === 'ran' && failed.report.state, 'FAILURE')
        assert.equal(summaryOf(after), 'SUCCESS 2')
      }),
    )

    it(
      'runs at most its size at once, and the rest after',
      withPool({ concurrency: 2 }, async (pool) => {
        const ends = await Promise.all(
          [1, 2, 3, 4, 5].map((n) => run(pool, harness.job('double', n))),
        )

        assert.deepEqual(
          ends.map(summaryOf),
          [2, 4, 6, 8, 10].map((n) => `SUCCESS ${n}`),
        )
        assert.equal(pool.info().running, 0)
      }),
    )

    it(
      'tells a job when its soft limit has passed',
      withPool({ concurrency: 1 }, async (pool) => {
        const end = await run(pool, harness.job('untilSoft', 0, { softMs: 200 }))

        assert.equal(summaryOf(end), "SUCCESS 'SoftTimeLimitExceeded'")
      }),
    )

    it(
      'ends a job at its hard limit, and the slot works again',
      withPool({ concurrency: 1 }, async (pool) => {
        const end = await run(pool, harness.job('sleep', 60_000, { hardMs: 200 }))
        const after = await run(pool, harness.job('double', 3))

        assert.deepEqual(end, { kind: 'timeLimit', seconds: 0.2 })
        assert.equal(summaryOf(after), 'SUCCESS 6')
      }),
    )

    it(
      'ends a running job on demand, and knows no other',
      withPool({ concurrency: 1 }, async (pool) => {
        const job = harness.job('sleep', 60_000)
        const ending = run(pool, job)

        assert.equal(pool.terminateJob('somebody else', 'SIGTERM'), false)
        await new Promise((resolve) => setTimeout(resolve, 100))
        assert.equal(pool.terminateJob(job.id, 'SIGTERM'), true)

        assert.deepEqual(await ending, { kind: 'terminated', signal: 'SIGTERM' })
      }),
    )

    it('finishes what runs before it stops', async () => {
      const pool = harness.make({ concurrency: 1 })
      await pool.start()
      const ending = run(pool, harness.job('sleep', 200))

      await pool.stop()

      assert.equal((await ending).kind, 'ran')
    })

    it('ends everything by force when it is terminated', async () => {
      const pool = harness.make({ concurrency: 1 })
      await pool.start()
      const ending = run(pool, harness.job('sleep', 60_000))

      await pool.terminate()

      assert.equal((await ending).kind, 'terminated')
    })

    it(
      'grows and shrinks',
      withPool({ concurrency: 1 }, async (pool) => {
        assert.equal(await pool.resize(1), 2)
        const ends = await Promise.all([1, 2].map((n) => run(pool, harness.job('double', n))))
        assert.equal(await pool.resize(-1), 1)

        assert.deepEqual(ends.map(summaryOf), ['SUCCESS 2', 'SUCCESS 4'])
        assert.equal(summaryOf(await run(pool, harness.job('double', 3))), 'SUCCESS 6')
      }),
    )

    if (!harness.stopsByForce) return

    it(
      'ends a job that never yields',
      withPool({ concurrency: 1 }, async (pool) => {
        const end = await run(pool, harness.job('spin', 60_000, { hardMs: 300 }))
        const after = await run(pool, harness.job('double', 3))

        assert.equal(end.kind, 'timeLimit')
        assert.equal(summaryOf(after), 'SUCCESS 6')
      }),
    )

    it(
      'reports a job whose process died, and replaces the process',
      withPool({ concurrency: 2 }, async (pool) => {
        const beside = run(pool, harness.job('sleep', 300))
        const end = await run(pool, harness.job('crash', 9))
        const after = await run(pool, harness.job('double', 3))

        assert.equal(end.kind, 'lost')
        assert.equal((await beside).kind, 'ran', 'the other job is untouched')
        assert.equal(summaryOf(after), 'SUCCESS 6')
      }),
    )

    it(
      'replaces a process after its share of jobs',
      withPool({ concurrency: 1, maxTasksPerChild: 2 }, async (pool) => {
        const pids: number[] = []
        for (let n = 0; n < 5; n++)
          await run(pool, harness.job('double', n), (pid) => pids.push(pid))

        assert.equal(new Set(pids).size, 3)
        assert.equal(pids[0], pids[1])
      }),
    )
  })
}
