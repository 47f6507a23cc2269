export { Reloader, createReloader } from './reloader.ts'
export type { IncrementalOptions, ReloadPlan, ReloaderOptions } from './reloader.ts'
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
