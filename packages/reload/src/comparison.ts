// What differs between two versions of a module, and what of the difference does not reach the running process.
import type { ClassShape, ModuleCode } from './module-code.ts'
import type { ModuleSlot } from './module-slot.ts'
import type { PatchedClass, ReloadWarning } from './report.ts'

interface Difference {
  readonly classes: PatchedClass[]
  readonly functions: string[]
  readonly warnings: ReloadWarning[]
}

/** Compares the code of a module before and after. */
export function compare(
  file: string,
  before: ModuleCode | undefined,
  after: ModuleCode,
): Difference {
  const difference: Difference = { classes: [], functions: [], warnings: [] }
  if (before === undefined || before === after) {
    for (const [name, shape] of after.classes)
      difference.classes.push(patched(file, name, shape, shape))
    return difference
  }
  for (const [name, shape] of after.classes) {
    const old = before.classes.get(name)
    difference.classes.push(patched(file, name, old ?? shape, shape))
    if (
      old !== undefined &&
      (old.hasPrivates || old.isLowered) &&
      old.isLowered !== shape.isLowered
    )
      difference.warnings.push({
        kind: 'private-reset',
        message: `${name} keeps its private fields elsewhere with decorators than without; those of its instances begin anew`,
        file,
        line: shape.line,
      })
    if (old !== undefined) warnOfMembers(file, name, old, shape, difference.warnings)
  }
  for (const [name, { line }] of before.classes)
    if (!after.classes.has(name))
      difference.warnings.push({
        kind: 'class-removed',
        message: `class ${name} is gone; instances of it keep its last code`,
        file,
        line,
      })
  for (const [name, shape] of after.functions) {
    const old = before.functions.get(name)
    if (old === undefined || old.text === shape.text) continue
    difference.functions.push(`${file}#${name}`)
    if (old.suspends)
      difference.warnings.push({
        kind: 'suspended',
        message: `calls of ${name} that are in progress end on the code they began with`,
        file,
        line: shape.line,
      })
  }
  return difference
}

function patched(file: string, name: string, old: ClassShape, shape: ClassShape): PatchedClass {
  const added: string[] = []
  const removed: string[] = []
  const changed: string[] = []
  for (const [label, member] of shape.members) {
    const before = old.members.get(label)
    if (before === undefined) added.push(label)
    else if (before.text !== member.text) changed.push(label)
  }
  for (const label of old.members.keys()) if (!shape.members.has(label)) removed.push(label)
  const parentChanged = old.parent !== shape.parent
  return { name, file, line: shape.line, added, removed, changed, parentChanged, instances: 0 }
}

function warnOfMembers(
  file: string,
  name: string,
  old: ClassShape,
  shape: ClassShape,
  warnings: ReloadWarning[],
): void {
  for (const [label, member] of shape.members) {
    const before = old.members.get(label)
    const { line } = member
    if (member.kind === 'field') {
      if (before === undefined)
        warnings.push({
          kind: 'field-added',
          message: `instances of ${name} from before do not have the field ${label}; onReload() can give it to them`,
          file,
          line,
        })
      else if (before.text !== member.text)
        warnings.push({
          kind: 'field-initialiser',
          message: `instances of ${name} from before keep their value of ${label}`,
          file,
          line,
        })
    } else if (before?.suspends === true && before.text !== member.text)
      warnings.push({
        kind: 'suspended',
        message: `calls of ${name}.${label} that are in progress end on the code they began with`,
        file,
        line,
      })
  }
}

/** Values that modules read from another one's exports before, and that are others now. */
export function copiedExports(
  slot: ModuleSlot,
  before: ReadonlyMap<string, unknown>,
  old: ModuleCode | undefined,
  reloaded: ReadonlySet<ModuleSlot>,
): ReloadWarning[] {
  const warnings: ReloadWarning[] = []
  const now = slot.current!.code
  for (const importer of slot.importers) {
    if (reloaded.has(importer) || importer.current === undefined) continue
    for (const { request, name, line } of importer.current.code.copied) {
      if (importer.current.links[request] !== slot) continue
      const value = slot.exports[name]
      if (!before.has(name) || Object.is(before.get(name), value)) continue
      const isSameFunction =
        typeof value === 'function' &&
        now.functions.get(name)?.text !== undefined &&
        now.functions.get(name)?.text === old?.functions.get(name)?.text
      if (isSameFunction) continue
      warnings.push({
        kind: 'copied-export',
        message: `a copy of "${name}" was taken here before ${slot.file} changed; it stays what it was`,
        file: importer.file,
        line,
      })
    }
  }
  return warnings
}
