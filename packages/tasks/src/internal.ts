/** For the apps of this repository; without any promise between versions. */
export { loadApp, loadIncluded, type FoundApp } from './app/load.ts'
export { backendUrl, embeddedUrl } from './app/services.ts'
export { beatEntries, createBeat, type BeatOptions } from './beat/create.ts'
export { options, type OptionName } from './config/options.ts'
export { censor, maskUrls } from './config/censor.ts'
export { describe, describeArgs, describeKwargs } from './kernel/describe.ts'
export { expandNode, nodeName } from './kernel/names.ts'
export type { AppLocation } from './kernel/app-location.ts'
export { importFile, type ModuleImporter } from './kernel/module-importer.ts'
export { findModule } from './app/load.ts'
export { findPool, pools } from './pools/index.ts'
export { backends, makeBackend } from './backends/index.ts'
export { resultCodec } from './backend/result-codec.ts'
export { logWorker } from './worker/logging.ts'
export { didYouMean, nearest, parkedQueue } from '@celeriac/messaging/internal'
export {
  consoleLogger,
  makeLogger,
  maskUrl,
  MessagingError,
  type Level,
  type Logger,
  type LogRecord,
} from '@celeriac/messaging'
