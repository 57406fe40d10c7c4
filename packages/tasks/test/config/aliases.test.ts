import { describe, expect, it } from '@jest/globals'
import {
  findNamespaced,
  findSpelling,
  knownNames,
  oldName,
  snakeName,
} from '../../src/config/aliases.ts'
import type { OptionName } from '../../src/config/options.ts'

describe('spellings of a setting', () => {
  it.each<[OptionName, string, string]>([
    ['taskAcksLate', 'task_acks_late', 'CELERY_ACKS_LATE'],
    ['brokerUrl', 'broker_url', 'BROKER_URL'],
    ['workerConcurrency', 'worker_concurrency', 'CELERYD_CONCURRENCY'],
    ['beatSchedule', 'beat_schedule', 'CELERYBEAT_SCHEDULE'],
    ['eventQueueTtl', 'event_queue_ttl', 'CELERY_EVENT_QUEUE_TTL'],
    ['resultBackend', 'result_backend', 'CELERY_RESULT_BACKEND'],
    ['resultExpires', 'result_expires', 'CELERY_TASK_RESULT_EXPIRES'],
    ['redisMaxConnections', 'redis_max_connections', 'CELERY_REDIS_MAX_CONNECTIONS'],
    ['taskCompression', 'task_compression', 'CELERY_MESSAGE_COMPRESSION'],
    ['taskSerializer', 'task_serializer', 'CELERY_TASK_SERIALIZER'],
    ['taskTimeLimit', 'task_time_limit', 'CELERYD_TASK_TIME_LIMIT'],
    ['taskQueues', 'task_queues', 'CELERY_QUEUES'],
    ['workerDirect', 'worker_direct', 'CELERY_WORKER_DIRECT'],
    ['workerSendTaskEvents', 'worker_send_task_events', 'CELERY_SEND_EVENTS'],
    ['acceptContent', 'accept_content', 'CELERY_ACCEPT_CONTENT'],
    ['enableUtc', 'enable_utc', 'ENABLE_UTC'],
    ['controlExchange', 'control_exchange', 'CONTROL_EXCHANGE'],
    ['s3AccessKeyId', 's3_access_key_id', 'S3_ACCESS_KEY_ID'],
  ])('%s, %s, %s', (name, snake, old) => {
    expect([snakeName(name), oldName(name)]).toEqual([snake, old])
    expect(findSpelling(name)).toEqual({ name, style: 'camel' })
    expect(findSpelling(snake)).toEqual({ name, style: 'snake' })
    expect(findSpelling(old)).toEqual({ name, style: 'old' })
  })

  it('gives no name to two settings', () => {
    const all = (['camel', 'snake', 'old'] as const).flatMap((style) => [
      ...new Set(knownNames(style)),
    ])

    const names = all.map((spelling) => findSpelling(spelling)?.name)

    const counts = new Map<string | undefined, number>()
    for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
    // include, imports, timezone …: camelCase and snake_case are the same word.
    expect([...counts.values()].every((count) => count === 3)).toBe(true)
  })

  it.each([
    ['CELERY_TASK_ACKS_LATE', 'taskAcksLate'],
    ['CELERY_BROKER_URL', 'brokerUrl'],
    ['CELERY_ACKS_LATE', undefined],
    ['TASK_ACKS_LATE', undefined],
  ])('in the namespace CELERY, %s is %s', (key, name) => {
    expect(findNamespaced(key, 'CELERY')?.name).toBe(name)
  })
})
