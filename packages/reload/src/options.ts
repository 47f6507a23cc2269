import type { Clock } from './clock.ts'
import type { ReloadKind } from './report.ts'

export interface ReloaderOptions {
  /** Folders and files whose modules are hot. */
  readonly roots: readonly string[]
  /** Files under the roots that stay native, such as the entry. @defaultValue none */
  readonly exclude?: (file: string) => boolean
  /** Reads data modules, by extension. @defaultValue `.json` with JSON.parse, `.json5` with `@rts/json5x` */
  readonly parsers?: Readonly<Record<string, (text: string, file: string) => unknown>>
  /** Calls `apply` at a moment when a reload may happen, such as between two ticks. @defaultValue the next turn */
  readonly between?: (apply: () => void) => void
  /** Reloads that `history()` remembers and `rollback()` can undo, from 1. @defaultValue 20 */
  readonly historyLimit?: number
  /**
   * Look once, when the reloader is made, for hot files that were loaded before it: those stay native and cannot be
   * reloaded. Takes about 15 ms. @defaultValue true
   */
  readonly detectNative?: boolean
  /**
   * Have Node map stack traces to line and column of the source, with `module.setSourceMapsSupport`: a switch of the
   * whole process. Without it they have the line, and the column of the rewritten code. @defaultValue true
   */
  readonly sourceMaps?: boolean
  readonly clock?: Clock
}

export interface IncrementalOptions {
  /** Look at these files alone. @defaultValue every hot file that is loaded */
  readonly files?: readonly string[]
}

/** What a reload is about to do. */
export interface ReloadPlan {
  readonly kind: ReloadKind
  readonly files: readonly string[]
}
