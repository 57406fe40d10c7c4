/** Settings of the app as a whole. */
import { choice, custom, flag, list, option, optional, refuse, text } from '../option.ts'

const zone = {
  ...custom<string>("a time zone name such as 'Europe/Warsaw'", (raw) => {
    try {
      if (typeof raw === 'string') {
        new Intl.DateTimeFormat('en', { timeZone: raw }).resolvedOptions()
        return raw
      }
    } catch {
      // falls through to the refusal
    }
    return refuse("a time zone name such as 'Europe/Warsaw'")
  }),
  fromText: (given: string): unknown => given,
}

export const generalOptions = {
  compatibility: option(
    optional(choice('celery')),
    undefined,
    "'celery' turns every default that is better here back to Celery's.",
  ),
  timezone: option(
    optional(zone),
    undefined,
    'Zone of beat and of local times; none is UTC, or the zone of this machine without `enableUtc`.',
    { oldName: 'CELERY_TIMEZONE' },
  ),
  enableUtc: option(flag, true, 'Times in messages are UTC.', { planned: true }),
  imports: option(list(text), [], 'Modules a worker imports first, in this order.', {
    oldName: 'CELERY_IMPORTS',
  }),
  include: option(list(text), [], 'More modules, imported after `imports`.', {
    oldName: 'CELERY_INCLUDE',
  }),
} as const
