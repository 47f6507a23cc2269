// Running what was planned: one synchronous step, undone as a whole when anything in it fails.
import type { Journal } from './class-record.ts'
import { type Description, describe, failureOf } from './description.ts'
import { ReloadError, type ReloadErrorCode } from './errors.ts'
import { migrate } from './migration.ts'
import { ModuleSlot } from './module-slot.ts'
import { type Before, type Planned, list } from './planner.ts'
import type { ReloadFailure, ReloadKind, ReloadWarning } from './report.ts'
import type { Runner } from './runner.ts'
import { ModuleScope } from './scope.ts'

type Applied =
  | {
      readonly ok: true
      readonly before: Before
      readonly verified: number
      readonly description: Description
    }
  | { readonly ok: false; readonly failure: ReloadFailure }

export function apply(runner: Runner, kind: ReloadKind, planned: Planned): Applied {
  const journal: Journal = []
  const staged = list(planned)
  const before = new Map(staged.map(({ slot }) => [slot, slot.current]))
  const values = new Map(
    staged.map(({ slot }) => [slot, new Map(Object.entries(slot.exports))] as const),
  )
  const order = runner.inOrder(
    staged.map(({ slot }) => slot),
    (slot) => (planned.staged.get(slot) ?? slot.current)?.links ?? [],
  )
  const scopes = order.map((slot) => ({ slot, old: slot.scope }))
  let code: ReloadErrorCode = 'RELOAD_EVALUATION'
  let running: ModuleSlot | undefined
  try {
    for (const slot of order) {
      running = slot
      slot.journal(journal)
      slot.scope = runner.freshScope(slot)
      runner.evaluate({ slot, version: planned.staged.get(slot)! }, journal)
    }
    running = undefined
    const unused = unusedBy(runner, before)
    for (const slot of unused) {
      before.set(slot, slot.current)
      slot.journal(journal)
      slot.isEvaluated = false
    }
    const verified = kind === 'full' ? verify(runner) : 0
    code = 'RELOAD_HOOK'
    const migrated = migrate(runner, order, before)
    code = 'RELOAD_EVALUATION'
    ModuleScope.handOver(order.map((slot) => slot.scope))
    for (const slot of order) {
      slot.version += 1
      if (kind !== 'rollback') slot.seenHash = slot.current!.hash
      slot.publish()
    }
    const ended = endOf(order, unused)
    const description = describe(runner, { planned, order, before, values, migrated, ended })
    // What it could undo is the version before: nothing may hold on to that.
    journal.length = 0
    return { ok: true, before, verified, description }
  } catch (error) {
    const failure = failureOf(runner, error, code, running)
    for (const { slot, old } of scopes) if (slot.scope !== old) slot.scope.abandon()
    for (const undo of journal.reverse()) undo()
    for (const { slot } of scopes) slot.publish()
    return { ok: false, failure }
  }
}

/** Ends what the versions before had running, and what modules have that nothing uses. Returns what to tell of it. */
function endOf(order: readonly ModuleSlot[], unused: readonly ModuleSlot[]): ReloadWarning[] {
  const errors = [
    ...order.flatMap((slot) => slot.scope.commit().map((error) => ({ slot, error }))),
    ...unused.flatMap((slot) => slot.scope.dispose().map((error) => ({ slot, error }))),
  ]
  return [
    ...unused.map(({ file }) => ({
      kind: 'module-unused' as const,
      message:
        'nothing imports the module any more: what it had running is ended, instances of its classes keep their last code',
      file,
    })),
    ...errors.map(({ slot, error }) => ({
      kind: 'dispose-failed' as const,
      message: error instanceof Error ? error.message : String(error),
      file: slot.file,
    })),
  ]
}

/** Modules that ran before and that a restart would not load. */
function unusedBy(runner: Runner, before: Before): ModuleSlot[] {
  const dropped = [...before].some(([slot, old]) =>
    old?.links.some((link) => link instanceof ModuleSlot && !slot.current!.links.includes(link)),
  )
  return dropped ? runner.unreachable() : []
}

function verify(runner: Runner): number {
  let verified = 0
  for (const slot of runner.slots.values()) {
    if (!slot.isEvaluated) continue
    for (const [name, record] of slot.records) {
      const stale = record.stale()
      if (stale.length > 0)
        throw new ReloadError(
          'RELOAD_VERIFY',
          `class ${name} is not current after the reload: ${stale.join(', ')}`,
          { file: slot.file },
        )
      verified += 1
    }
  }
  return verified
}
