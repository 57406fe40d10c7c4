/** For the apps of this repository. */
export type { ResultBackend } from './backend/backend.ts'
