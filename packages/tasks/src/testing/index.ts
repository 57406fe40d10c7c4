/** Suites for authors of plug-ins. No test runner is imported. */
export {
  backendOptions,
  backendSuite,
  counting,
  jsonResults,
  type BackendHarness,
  type OpenOptions,
} from './backend-suite/index.ts'
export { poolSuite, type PoolHarness } from './pool-suite.ts'
export { scheduleSuite } from './schedule-suite.ts'
export { scheduleStoreSuite } from './schedule-store-suite.ts'
export type { Runner } from '@celeriac/messaging/testing'
export { canvasCases, type CanvasCase, type CaseSignature, type CaseTasks } from './canvas-cases.ts'
