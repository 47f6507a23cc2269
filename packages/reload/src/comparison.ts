// What differs between two versions of a module, and what of the difference does not reach the running process.
import { isDeepStrictEqual } from 'node:util'
import type { ClassShape, ModuleCode } from './module-code.ts'
import type { ModuleSlot, ModuleVersion } from './module-slot.ts'
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

/**
 * Values that modules took from this one's exports before, and that are others now. A module that is reloaded as well
 * takes anew what it takes at its top level; what its functions handed out stays.
 */
export function copiedExports(
  slot: ModuleSlot,
  values: ReadonlyMap<string, unknown>,
  before: ReadonlyMap<ModuleSlot, ModuleVersion | undefined>,
): ReloadWarning[] {
  const warnings: ReloadWarning[] = []
  const texts = slot.current!.code.functions
  const oldTexts = before.get(slot)?.code.functions
  // The same text calls other functions when an import of it leads elsewhere.
  const isLinkedAlike = linksOf(slot.current).every(
    (link, index) => link === linksOf(before.get(slot))[index],
  )
  for (const importer of slot.importers) {
    const isReloaded = before.has(importer)
    const version = isReloaded ? before.get(importer) : importer.current
    if (version === undefined || !importer.isEvaluated) continue
    for (const { request, name, line, isTopLevel } of version.code.copied) {
      if (version.links[request] !== slot || (isReloaded && isTopLevel)) continue
      const value = slot.exports[name]
      if (!values.has(name) || Object.is(values.get(name), value)) continue
      if (isSameConstant(values.get(name), value)) continue
      const text = typeof value === 'function' ? texts.get(name)?.text : undefined
      const isSame = isLinkedAlike && text === oldTexts?.get(name)?.text
      if (text === undefined ? isReloaded : isSame) continue
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

/**
 * Whether a value is data that nobody has changed since it was made, and that the new version made just so. What is
 * shared in order to be filled is empty at first, and differs from its new self later.
 */
function isSameConstant(before: unknown, after: unknown): boolean {
  return isPlain(after) && Object.keys(after).length > 0 && isDeepStrictEqual(before, after)
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const parent = Object.getPrototypeOf(value) as unknown
  return (
    (parent === Object.prototype || parent === Array.prototype) &&
    Object.values(value).every((one) => Object(one) !== one || isPlain(one))
  )
}

const linksOf = (version: ModuleVersion | undefined): unknown[] =>
  (version?.links ?? []).map((link) => ('namespace' in link ? link.namespace : link))
