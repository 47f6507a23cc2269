// What a reload is to run: read, rewritten, compiled and linked. Changes nothing.
import { existsSync, readFileSync } from 'node:fs'
import { ReloadError } from './errors.ts'
import type { NativeHooks } from './hooks.ts'
import { type Staged, checkLinks } from './links.ts'
import type { ModuleCode } from './module-code.ts'
import type { Link, ModuleSlot, ModuleVersion } from './module-slot.ts'
import type { ReloadedFile } from './report.ts'
import type { Runner } from './runner.ts'

export interface Planned {
  readonly staged: Map<ModuleSlot, ModuleVersion>
  readonly reasons: Map<ModuleSlot, ReloadedFile['reason']>
}

/** What ran before a reload, by slot; undefined for a module that was new. */
export type Before = ReadonlyMap<ModuleSlot, ModuleVersion | undefined>

export class Planner {
  readonly #runner: Runner
  readonly #hooks: NativeHooks

  constructor(runner: Runner, hooks: NativeHooks) {
    this.#runner = runner
    this.#hooks = hooks
  }

  /** What differs from what was accepted last, and the importers that this reaches. */
  async changed(files: readonly string[] | undefined): Promise<Planned> {
    const only = files === undefined ? undefined : new Set(files)
    const planned: Planned = { staged: new Map(), reasons: new Map() }
    // All are read before the first is rewritten: an edit meanwhile belongs to the next reload.
    const texts: [ModuleSlot, string][] = []
    for (const slot of this.#runner.slots.values()) {
      if (!slot.isEvaluated || (only !== undefined && !only.has(slot.file))) continue
      if (existsSync(slot.file)) texts.push([slot, readFileSync(slot.file, 'utf8')])
    }
    for (const [slot, text] of texts) await this.#stage(slot, text, 'changed', planned)
    this.#addImporters(planned)
    checkLinks(list(planned))
    return planned
  }

  /** Every module, in its newest text. */
  async all(): Promise<Planned> {
    const planned: Planned = { staged: new Map(), reasons: new Map() }
    const texts = new Map<ModuleSlot, string>()
    for (const slot of this.#runner.slots.values())
      if (slot.isEvaluated && existsSync(slot.file))
        texts.set(slot, readFileSync(slot.file, 'utf8'))
    for (const slot of [...this.#runner.slots.values()]) {
      if (!slot.isEvaluated) continue
      const text = texts.get(slot)
      if (text !== undefined) await this.#stage(slot, text, 'full', planned)
      if (!planned.staged.has(slot)) {
        planned.staged.set(slot, slot.current!)
        planned.reasons.set(slot, 'full')
      }
    }
    checkLinks(list(planned))
    return planned
  }

  /** What ran before some reload. */
  back(before: Before): Planned {
    const planned: Planned = { staged: new Map(), reasons: new Map() }
    for (const [slot, version] of before) {
      if (version === undefined) continue
      planned.staged.set(slot, version)
      planned.reasons.set(slot, 'rolled-back')
    }
    checkLinks(list(planned))
    return planned
  }

  /** Makes a version of a file's text ready to run, with the new modules it asks for. */
  async #stage(
    slot: ModuleSlot,
    text: string,
    reason: ReloadedFile['reason'],
    planned: Planned,
  ): Promise<void> {
    if (planned.staged.has(slot)) return
    if (slot.isEvaluated && slot.edited === undefined) {
      const seen = this.#runner.reader.hash(text)
      if (seen === slot.seenHash) return
      if (seen === slot.current!.hash) {
        // It says again what runs: an edit that was rolled back is undone in the file too.
        slot.seenHash = seen
        return
      }
    }
    const { hash, code } = await this.#runner.reader.readAside(slot.file, text)
    const compiled = this.#runner.compile(slot, code)
    const links: Link[] = []
    planned.staged.set(slot, { hash, code, compiled, links })
    planned.reasons.set(slot, reason)
    await this.#loadNatives(slot, code)
    for (const [index, specifier] of code.requests.entries()) {
      const hot = this.#runner.hotTarget(slot, specifier)
      if (hot === undefined) {
        links.push({ namespace: slot.natives.get(specifier)! })
        continue
      }
      const target = this.#runner.slot(hot)
      links.push(target)
      if (target.isEvaluated) continue
      if (!existsSync(target.file)) {
        this.#runner.slots.delete(hot)
        throw missing(specifier, slot, code.requestLines[index]!)
      }
      await this.#stage(target, readFileSync(target.file, 'utf8'), 'new', planned)
    }
  }

  async #loadNatives(slot: ModuleSlot, code: ModuleCode): Promise<void> {
    const wanted = code.requests
      .map((specifier, index) => ({
        specifier,
        attributes: code.attributes[index]!,
        line: code.requestLines[index]!,
      }))
      .filter(
        ({ specifier }) =>
          !slot.natives.has(specifier) && this.#runner.hotTarget(slot, specifier) === undefined,
      )
    if (wanted.length === 0 && slot.native !== undefined) return
    for (const one of wanted.length === 0 ? [undefined] : wanted) {
      try {
        const { namespaces, native } = await this.#hooks.load(
          slot.url,
          one === undefined ? [] : [one],
        )
        slot.native ??= { ...native, setters: {} }
        if (one !== undefined) slot.natives.set(one.specifier, namespaces[0]!)
      } catch (error) {
        throw missing(one?.specifier ?? slot.file, slot, one?.line ?? 1, error)
      }
    }
  }

  /** A changed set of exports reaches the importers, and on through `export *`. */
  #addImporters(planned: Planned): void {
    const codeOf = (slot: ModuleSlot): ModuleVersion | undefined =>
      planned.staged.get(slot) ?? slot.current
    const queue = [...planned.staged.keys()]
    for (const slot of queue) {
      if (slot.current === undefined || planned.reasons.get(slot) === 'new') continue
      const before = slot.exportNames((one) => one.current)
      const after = slot.exportNames(codeOf)
      if (before.size === after.size && [...before].every((name) => after.has(name))) continue
      for (const importer of slot.importers) {
        if (planned.staged.has(importer) || !importer.isEvaluated) continue
        if (!importer.current!.links.includes(slot)) continue
        planned.staged.set(importer, importer.current!)
        planned.reasons.set(importer, 'importer')
        queue.push(importer)
      }
    }
  }
}

export const list = ({ staged }: Planned): Staged[] =>
  [...staged].map(([slot, version]) => ({ slot, version }))

function missing(specifier: string, slot: ModuleSlot, line: number, cause?: unknown): ReloadError {
  return new ReloadError(
    'RELOAD_MISSING_MODULE',
    `cannot load "${specifier}"${cause instanceof Error ? `: ${cause.message}` : ''}`,
    { file: slot.file, line },
    { cause },
  )
}
