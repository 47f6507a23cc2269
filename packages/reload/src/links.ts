// Whether every name that is imported is exported.
import { ReloadError } from './errors.ts'
import type { ModuleCode } from './module-code.ts'
import { type Link, ModuleSlot, type ModuleVersion } from './module-slot.ts'

/** What a hot module imports from for itself. */
export const OWN_NAME = '@rts/reload'

export interface Linked {
  readonly code: ModuleCode
  readonly links: readonly Link[]
}

export interface Staged {
  readonly slot: ModuleSlot
  readonly version: ModuleVersion
}

export function checkImports(
  slot: ModuleSlot,
  version: Linked,
  codeOf: (slot: ModuleSlot) => Linked | undefined,
): void {
  for (const { request, name, line } of version.code.imports) {
    if (name === '*') continue
    const link = version.links[request]!
    if (link instanceof ModuleSlot && codeOf(link) === undefined) continue
    const has =
      link instanceof ModuleSlot
        ? link.exportNames(codeOf).has(name)
        : name in link.namespace || isOwn(version.code.requests[request]!, name)
    if (has) continue
    throw new ReloadError(
      'RELOAD_MISSING_EXPORT',
      `"${version.code.requests[request]}" does not export "${name}"`,
      { file: slot.file, line },
    )
  }
}

function isOwn(specifier: string, name: string): boolean {
  return specifier === OWN_NAME && (name === 'keep' || name === 'scope' || name === 'onDispose')
}

/** Checks the imports of staged modules and of everyone who imports from them. */
export function checkLinks(staged: readonly Staged[]): void {
  const versions = new Map(staged.map(({ slot, version }) => [slot, version]))
  const codeOf = (slot: ModuleSlot): ModuleVersion | undefined => versions.get(slot) ?? slot.current
  const checked = new Set<ModuleSlot>()
  for (const { slot, version } of staged) {
    checkImports(slot, version, codeOf)
    checked.add(slot)
  }
  for (const { slot } of staged)
    for (const importer of slot.importers) {
      const version = codeOf(importer)
      if (checked.has(importer) || version === undefined || !importer.isEvaluated) continue
      checked.add(importer)
      checkImports(importer, version, codeOf)
    }
}
