import { describe, expect, it } from '@jest/globals'
import { options } from '../../src/config/options.ts'
import { resolve, type Source } from '../../src/config/resolve.ts'

const code = (settings: Record<string, unknown>): Source => ({ from: 'code', settings })

describe('resolve', () => {
  it('gives every setting its default', () => {
    const { config, origins, warnings } = resolve([])

    expect(Object.keys(config).sort()).toEqual(Object.keys(options).sort())
    expect(config.taskAcksLate).toBe(true)
    expect(config.taskDefaultQueue).toBe('celery')
    expect([origins.size, warnings.length]).toEqual([0, 0])
  })

  it('lets later sources win and says where each value came from', () => {
    const { config, origins } = resolve([
      { from: 'the file a.json', settings: { task_acks_late: false, workerConcurrency: 2 } },
      { from: 'the environment', settings: { workerConcurrency: '3' }, isText: true },
      code({ taskTimeLimit: 9 }),
    ])

    expect(config).toMatchObject({ taskAcksLate: false, workerConcurrency: 3, taskTimeLimit: 9 })
    expect(Object.fromEntries(origins)).toEqual({
      taskAcksLate: 'the file a.json',
      workerConcurrency: 'the environment',
      taskTimeLimit: 'code',
    })
  })

  it('takes undefined as not given and null as none', () => {
    const { config } = resolve([code({ resultExpires: null, taskAcksLate: undefined })])

    expect(config.resultExpires).toBeUndefined()
    expect(config.taskAcksLate).toBe(true)
  })

  it('cannot be changed', () => {
    const { config } = resolve([])

    expect(() => Object.assign(config, { taskAcksLate: false })).toThrow(TypeError)
  })

  it("turns Celery's defaults back, but not what was set", () => {
    const { config } = resolve([code({ compatibility: 'celery', taskRejectOnWorkerLost: true })])

    expect(config).toMatchObject({
      taskAcksLate: false,
      taskRejectOnWorkerLost: true,
      taskMaxDeliveries: 0,
      brokerConnectionMaxRetries: 100,
      workerShutdownGrace: 0,
      workerPool: 'processes',
    })
  })

  it('reads old names', () => {
    const { config } = resolve([code({ BROKER_URL: 'redis://a', CELERY_ACKS_LATE: false })])

    expect(config).toMatchObject({ brokerUrl: 'redis://a', taskAcksLate: false })
  })

  it('lets a current name win over its own old one', () => {
    const { config } = resolve([code({ CELERY_ACKS_LATE: false, task_acks_late: true })])

    expect(config.taskAcksLate).toBe(true)
  })

  it('allows different styles in different sources', () => {
    const { config } = resolve([code({ BROKER_URL: 'redis://a' }), code({ taskAcksLate: false })])

    expect(config).toMatchObject({ brokerUrl: 'redis://a', taskAcksLate: false })
  })

  it('skips keys of others in a namespace', () => {
    const { config } = resolve([
      {
        from: 'settings',
        namespace: 'CELERY',
        settings: { CELERY_TASK_ACKS_LATE: false, DEBUG: true, BROKER_URL: 1 },
      },
    ])

    expect(config.taskAcksLate).toBe(false)
  })

  it('warns of settings that have no effect yet', () => {
    const { warnings } = resolve([code({ s3Bucket: 'b', workerTimerPrecision: 1 })])

    expect(warnings).toEqual(["the setting 's3Bucket' (code) is known, but has no effect yet"])
  })

  it.each<[Record<string, unknown>, string, string | undefined, string]>([
    [
      { taskAckLate: true },
      'TASKS_CONFIG_UNKNOWN',
      'taskAckLate',
      "there is no setting 'taskAckLate' (code). Did you mean 'taskAcksLate'?",
    ],
    [
      { worker_concurency: 2 },
      'TASKS_CONFIG_UNKNOWN',
      'worker_concurency',
      "there is no setting 'worker_concurency' (code). Did you mean 'workerConcurrency'?",
    ],
    [
      { CELERYD_CONCURENCY: 2 },
      'TASKS_CONFIG_UNKNOWN',
      'CELERYD_CONCURENCY',
      "there is no setting 'CELERYD_CONCURENCY' (code). Did you mean 'CELERYD_CONCURRENCY'?",
    ],
    [
      { xyzzyxyzzy: 2 },
      'TASKS_CONFIG_UNKNOWN',
      'xyzzyxyzzy',
      "there is no setting 'xyzzyxyzzy' (code).",
    ],
    [
      { workerConcurrency: 'two' },
      'TASKS_CONFIG_INVALID',
      'workerConcurrency',
      `the setting 'workerConcurrency' (code): expected a whole number of at least 1; found the text "two"`,
    ],
    [
      { task_acks_late: null },
      'TASKS_CONFIG_INVALID',
      'taskAcksLate',
      "the setting 'taskAcksLate' (code): expected true or false; found null",
    ],
    [
      { acceptContent: new Map() },
      'TASKS_CONFIG_INVALID',
      'acceptContent',
      "the setting 'acceptContent' (code): expected a list, each entry a text that is not empty; found an instance of Map",
    ],
    [
      { brokerPassword: 12345 },
      'TASKS_CONFIG_INVALID',
      'brokerPassword',
      "the setting 'brokerPassword' (code): expected a text; found a value that is not shown",
    ],
    [
      { taskRoutes: 'amqp://user:hunter2@host//' },
      'TASKS_CONFIG_INVALID',
      'taskRoutes',
      `the setting 'taskRoutes' (code): expected a mapping of task names to queues or options, a function, or a list of those; found the text "amqp://user:********@host//"`,
    ],
    [
      { taskAcksLate: true, task_acks_late: true },
      'TASKS_CONFIG_MIXED',
      'taskAcksLate',
      "'taskAcksLate' and 'task_acks_late' are the same setting (code); keep one of them",
    ],
    [
      { taskAcksLate: true, BROKER_URL: 'x', CELERYD_POOL: 'solo' },
      'TASKS_CONFIG_MIXED',
      'brokerUrl',
      'old and new names of settings are mixed (code); rename BROKER_URL to broker_url, CELERYD_POOL to worker_pool',
    ],
  ])('refuses %j', (settings, errorCode, key, message) => {
    expect(() => resolve([code(settings)])).toThrow(
      expect.objectContaining({ name: 'ConfigError', code: errorCode, key, message }),
    )
  })
})
