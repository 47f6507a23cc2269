// The report of a reload: what it did, and what of the edit does not reach the running process.
import type { ClassRecord } from './class-record.ts'
import { compare, copiedExports } from './comparison.ts'
import { type ReloadErrorCode, isReloadError } from './errors.ts'
import type { ModuleCode } from './module-code.ts'
import type { ModuleSlot } from './module-slot.ts'
import type { Before, Planned } from './planner.ts'
import type {
  PatchedClass,
  ReloadFailure,
  ReloadKind,
  ReloadReport,
  ReloadWarning,
} from './report.ts'
import type { Runner } from './runner.ts'

/** What an applied reload left behind. */
export interface Done {
  readonly planned: Planned
  readonly order: readonly ModuleSlot[]
  readonly before: Before
  /** The values of exports before. */
  readonly values: ReadonlyMap<ModuleSlot, ReadonlyMap<string, unknown>>
  readonly migrated: ReadonlyMap<ClassRecord, number>
  /** Warnings of what was ended. */
  readonly ended: readonly ReloadWarning[]
}

export type Description = Pick<
  ReloadReport,
  'files' | 'classes' | 'functions' | 'kept' | 'warnings'
>

export function emptyReport(kind: ReloadKind, version: number, prepareMs: number): ReloadReport {
  return {
    ok: true,
    kind,
    version,
    files: [],
    classes: [],
    functions: [],
    kept: [],
    warnings: [],
    failure: undefined,
    verified: 0,
    prepareMs,
    transformMs: 0,
    applyMs: 0,
  }
}

/** @param running - The module that was being evaluated, for an error that does not say where it is from. */
export function failureOf(
  runner: Runner,
  error: unknown,
  fallback: ReloadErrorCode = 'RELOAD_EVALUATION',
  running?: ModuleSlot,
): ReloadFailure {
  const { message } = error instanceof Error ? error : { message: String(error) }
  const code = isReloadError(error) ? error.code : fallback
  const place = runner.placeOf(error) ?? (running && { file: running.file })
  return { code, message, place, cause: error }
}

export function describe(runner: Runner, done: Done): Description {
  const { planned, order, before, values, migrated, ended } = done
  const classes: PatchedClass[] = []
  const functions: string[] = []
  const warnings: ReloadWarning[] = [...runner.loadedNatively].map((file) => ({
    kind: 'loaded-natively',
    message:
      'the file was loaded before the reloader was made and stays as it was: import it later',
    file,
  }))
  for (const slot of order) {
    const old = before.get(slot)
    const difference = compare(slot.file, old?.code, slot.current!.code)
    for (const one of difference.classes) {
      const record = slot.records.get(one.name)
      if (record === undefined) continue
      const parentChanged = record.hasOtherParent
      classes.push({ ...one, parentChanged, instances: migrated.get(record) ?? 0 })
      if (parentChanged)
        warnings.push({
          kind: 'parent-changed',
          message: `${one.name} has another parent; its instances from before do not have that one's fields`,
          file: slot.file,
          line: one.line,
        })
    }
    functions.push(...difference.functions)
    warnings.push(...difference.warnings)
    if (old === undefined) continue
    warnings.push(...copiedExports(slot, values.get(slot)!, before))
    warnings.push(...nativeWarnings(runner, slot, old.code))
  }
  return {
    files: order.map((slot) => ({
      file: slot.file,
      version: slot.version,
      hash: slot.current!.hash,
      reason: planned.reasons.get(slot)!,
    })),
    classes,
    functions,
    kept: order.flatMap((slot) => [...slot.kept.keys()].map((id) => `${slot.file}#${id}`)),
    warnings: [...warnings, ...ended],
  }
}

function nativeWarnings(runner: Runner, slot: ModuleSlot, old: ModuleCode): ReloadWarning[] {
  const importers = runner.coldImporters.get(slot.url)
  if (importers === undefined) return []
  const added = slot.current!.code.exports.filter((name) => !old.exports.includes(name))
  return added.map((name) => ({
    kind: 'native-importer' as const,
    message: `native modules (${[...importers].join(', ')}) cannot see the new export "${name}" without a restart`,
    file: slot.file,
  }))
}
