/** Conformance suites and doubles for authors of plug-ins. No test runner is imported. */
export type { Runner } from './runner.ts'
