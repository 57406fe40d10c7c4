/** The public names of the package. */
export { Celeriac, type AppOptions, type SendOptions } from './app/app.ts'
export { chain, chord, group, groupOf } from './app/canvas.ts'
export { kw } from './app/kw.ts'
export { createWorker, type WorkerOptions } from './worker/create.ts'
export { Worker } from './worker/worker.ts'
export { AsyncResult } from './result/async-result.ts'
export { GroupResult } from './result/group-result.ts'
