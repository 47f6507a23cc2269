import type { Place, ReloadErrorCode } from './errors.ts'

export type ReloadKind = 'incremental' | 'full' | 'rollback'

export interface ReloadedFile {
  readonly file: string
  /** Counts the versions of this module in this process, from 1. */
  readonly version: number
  /** Of the text that runs now. */
  readonly hash: string
  readonly reason: 'changed' | 'new' | 'importer' | 'full' | 'rolled-back'
}

export interface PatchedClass {
  readonly name: string
  readonly file: string
  readonly line: number
  /** Labels such as `fire`, `static make`, `get speed`, `#aim`. */
  readonly added: readonly string[]
  readonly removed: readonly string[]
  readonly changed: readonly string[]
  readonly parentChanged: boolean
  /** Instances whose `onReload` ran. */
  readonly instances: number
}

export type ReloadWarningKind =
  /** A copy of an export was taken before; it stays what it was. */
  | 'copied-export'
  /** Instances that exist keep the value that the old initialiser gave them. */
  | 'field-initialiser'
  /** Instances that exist do not have the field. */
  | 'field-added'
  /** Calls in progress end on the code they began with. */
  | 'suspended'
  /** The class has another parent object; instances from before lack what that one's constructor gives. */
  | 'parent-changed'
  /** The class got its first decorator or lost its last: private fields of its instances begin as undefined. */
  | 'private-reset'
  /** The class is no longer in its module; its instances keep its last code. */
  | 'class-removed'
  /** No import leads to the module any more: what it had running is ended, its instances keep their last code. */
  | 'module-unused'
  /** Native importers cannot see a new export without a restart. */
  | 'native-importer'
  /** The file was loaded before the reloader was there. */
  | 'loaded-natively'
  /** `onDispose` or the undo of a registration threw. */
  | 'dispose-failed'

export interface ReloadWarning extends Place {
  readonly kind: ReloadWarningKind
  readonly message: string
}

export interface ReloadFailure {
  readonly code: ReloadErrorCode
  readonly message: string
  readonly place: Place | undefined
  readonly cause: unknown
}

export interface ReloadReport {
  readonly ok: boolean
  readonly kind: ReloadKind
  /** The version of the whole: counts the reloads that changed something. */
  readonly version: number
  readonly files: readonly ReloadedFile[]
  readonly classes: readonly PatchedClass[]
  /** Functions of top level whose text changed, as `file#name`. */
  readonly functions: readonly string[]
  /** Ids of `keep`, as `file#id`. */
  readonly kept: readonly string[]
  readonly warnings: readonly ReloadWarning[]
  readonly failure: ReloadFailure | undefined
  /** Classes that `full` found current. */
  readonly verified: number
  /** Looking for changes, reading, rewriting and compiling them. */
  readonly prepareMs: number
  /** The part of it in which types were stripped and code was rewritten. */
  readonly transformMs: number
  /** Evaluating and patching: the time during which nothing else runs. */
  readonly applyMs: number
}
