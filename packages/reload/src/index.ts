export { Reloader, createReloader } from './reloader.ts'
export type { IncrementalOptions, ReloadPlan, ReloaderOptions } from './options.ts'
export { keep, onDispose, scope } from './module-context.ts'
export type { Listenable, Scope } from './scope.ts'
export type {
  PatchedClass,
  ReloadFailure,
  ReloadKind,
  ReloadReport,
  ReloadWarning,
  ReloadWarningKind,
  ReloadedFile,
} from './report.ts'
export { ReloadError, type Place, type ReloadErrorCode } from './errors.ts'
export type { Clock } from './clock.ts'
export { watch, reloadOnSignal, type WatchOptions } from './watch.ts'
export { ReloadService, type ReloadHealth, type ReloadSummary, type Vitals } from './service.ts'
export { canary, type CanaryOptions, type CanaryResult, type RemoteReload } from './canary.ts'
export { liveEdit, type LiveEditResult } from './live-edit.ts'
export { registeredReloader } from './default-reloader.ts'
