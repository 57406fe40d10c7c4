/** Suites for authors of plug-ins. */
export type { Runner } from '@celeriac/messaging/testing'
