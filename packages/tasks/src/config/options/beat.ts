/** Settings of the scheduler. */
import { either, option, optional, seconds, text, whole } from '../option.ts'
import { beatSchedule } from './structures.ts'

export const beatOptions = {
  beatSchedule: option(beatSchedule, {}, 'Periodic tasks by name.'),
  beatScheduler: option(
    text,
    'file',
    'Store of the schedule: file, memory, redis, or another name of the shelf.',
    { celery: 'celery.beat:PersistentScheduler', planned: true },
  ),
  beatScheduleFilename: option(
    text,
    // Not Celery's own name: that file is no JSON, and two programs must not share it.
    'celerybeat-schedule.json',
    'File of the schedule.',
  ),
  beatSyncEvery: option(whole(0), 0, 'Save at once after so many tasks; 0 saves within a second.'),
  beatMaxLoopInterval: option(
    seconds,
    0,
    'Longest sleep in seconds; 0 lets the scheduler choose (300).',
  ),
  beatCronStartingDeadline: option(
    optional(seconds),
    undefined,
    'Seconds a missed crontab run may be late and still be made up; none always makes up one.',
  ),
  beatLogfile: option(optional(text), undefined, 'File of the log.', { planned: true }),
  beatPidfile: option(optional(text), undefined, 'File that holds the process id.', {
    planned: true,
  }),
  beatUid: option(optional(either(whole(0), text)), undefined, 'User to run as.', {
    planned: true,
  }),
  beatGid: option(optional(either(whole(0), text)), undefined, 'Group to run as.', {
    planned: true,
  }),
  beatUmask: option(optional(either(whole(0), text)), undefined, 'File mode mask.', {
    planned: true,
  }),
  beatExecutable: option(optional(text), undefined, 'Interpreter to run.', { planned: true }),
} as const
