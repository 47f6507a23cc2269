import { Json5xError, type Json5xErrorCode, type Json5xErrorSource } from './errors.ts'
import { nearestNames } from './nearest-names.ts'
import { MACRO_TABLE, type DollarSite, type Holder, type MacroNotes } from './notes.ts'
import { isMacroName, type ParseSettings } from './options.ts'
import { Parser, setMember } from './parser.ts'
import { piecesOf, type Reference } from './reference.ts'
import { offsetInToken } from './strings.ts'

/** How many macros may lead from one to the next. */
const MAX_CHAIN = 32
/** What a number, a container or any other value without characters counts against the limit. */
const VALUE_COST = 8
const ENV = 'env'

/** One use of a reference: the string it stands in and where in that string. */
interface Use {
  readonly site: DollarSite
  readonly index: number
  readonly reference: Reference
}

interface Target {
  readonly value: unknown
  /** A number as the document writes it, where that is not how JavaScript would. */
  readonly spelling: string | undefined
}

/** Puts macros into a parsed document, in place. An instance expands once. */
export class MacroExpander {
  readonly #text: string
  readonly #notes: MacroNotes
  readonly #settings: ParseSettings
  readonly #entrySites = new Map<string, DollarSite[]>()
  readonly #resolved = new Set<string>()
  readonly #chain: { readonly name: string; readonly use: Use | undefined }[] = []
  #table: Holder | undefined
  #expansion = 0

  constructor(text: string, notes: MacroNotes, settings: ParseSettings) {
    this.#text = text
    this.#notes = notes
    this.#settings = settings
  }

  /** @returns The root, which is another value only where the whole document is one reference. */
  expand(root: unknown): unknown {
    this.#table = this.#tableOf(root)
    const sites: DollarSite[] = []
    for (const site of this.#notes.sites) {
      if (this.#table === undefined || site.path[0] !== MACRO_TABLE) sites.push(site)
      else this.#sitesOfEntry(String(site.path[1])).push(site)
    }
    this.#apply(sites)
    this.#finishTable(root as Holder)
    const rootString = sites.find(({ path }) => path.length === 0)
    return rootString === undefined ? root : rootString.holder['']
  }

  #tableOf(root: unknown): Holder | undefined {
    const offset = this.#notes.tableOffset
    if (offset === undefined) {
      if (!this.#settings.needsTable) return undefined
      const reason = `the root object needs a member "${MACRO_TABLE}"`
      throw this.#errorAt('JSON5X_MACRO_TABLE', reason, { offset: 0 })
    }
    const table = (root as Holder)[MACRO_TABLE]
    if (typeof table !== 'object' || table === null || Array.isArray(table)) {
      const reason = `"${MACRO_TABLE}" must be an object of names and values`
      throw this.#errorAt('JSON5X_MACRO_TABLE', reason, { offset, path: [MACRO_TABLE] })
    }
    for (const [name, at] of this.#notes.entryOffsets) this.#checkName(name, at)
    return table as Holder
  }

  #checkName(name: string, offset: number): void {
    const isReserved = name === ENV && this.#settings.env !== undefined
    if (isMacroName(name) && !isReserved) return
    // Old documents may hold names that nothing can refer to.
    if (this.#settings.needsTable && !isReserved) return
    const reason = isReserved
      ? 'env is the environment here and cannot be a macro'
      : 'a macro name is made of letters, digits and _, up to 64, and begins with no digit'
    throw this.#errorAt('JSON5X_MACRO_NAME', reason, {
      offset,
      length: name.length,
      path: [MACRO_TABLE, name],
    })
  }

  /** Entries that nothing used are resolved too: a mistake in them is a mistake. */
  #finishTable(root: Holder): void {
    const table = this.#table
    if (table === undefined) return
    for (const name of Object.keys(table)) {
      if (!this.#isOverridden(name)) this.#resolve(name)
      else if (this.#settings.keepsTable)
        setMember(table, name, structuredClone(this.#settings.macros![name]))
    }
    if (!this.#settings.keepsTable) delete root[MACRO_TABLE]
  }

  #apply(sites: readonly DollarSite[]): void {
    const renamed = new Map<Holder, Map<string, DollarSite>>()
    for (const site of sites) {
      if (site.kind === 'key') {
        const known = renamed.get(site.holder)
        if (known === undefined) renamed.set(site.holder, new Map([[site.text, site]]))
        else known.set(site.text, site)
      } else if (site.holder[site.key] === site.text) {
        // Otherwise a later member of the same name took its place.
        this.#expandValue(site)
      }
    }
    for (const [holder, keys] of renamed) this.#renameKeys(holder, keys)
  }

  #expandValue(site: DollarSite): void {
    const pieces = [...piecesOf(site.text)]
    const [first] = pieces
    if (pieces.length > 1 || first!.kind === 'text') {
      setMember(site.holder, String(site.key), this.#joined(site))
      return
    }
    const use: Use = { site, index: first!.index, reference: first!.reference }
    const target = this.#targetOf(use) ?? this.#fallbackOf(use)
    setMember(site.holder, String(site.key), this.#copy(target.value, site.path.length, use))
    if (target.spelling !== undefined) this.#notes.spell(site.holder, site.key, target.spelling)
  }

  #renameKeys(holder: Holder, sites: ReadonlyMap<string, DollarSite>): void {
    const members = Object.entries(holder)
    const madeBy = new Map<string, DollarSite>()
    for (const [key] of members) delete holder[key]
    for (const [key, value] of members) {
      const site = sites.get(key)
      const name = site === undefined ? key : this.#joined(site)
      if (Object.hasOwn(holder, name)) {
        const { offset, path } = (site ?? madeBy.get(name))!
        const reason = `this key becomes ${JSON.stringify(name)}, which the object has already`
        throw this.#errorAt('JSON5X_DUPLICATE_KEY', reason, { offset, path, length: key.length })
      }
      if (site !== undefined) madeBy.set(name, site)
      setMember(holder, name, value)
      const spelling = this.#notes.spellingOf(holder, key)
      if (spelling !== undefined) this.#notes.spell(holder, name, spelling)
    }
  }

  /** The text of a string with its references in place. */
  #joined(site: DollarSite): string {
    let text = ''
    for (const piece of piecesOf(site.text)) {
      if (piece.kind === 'text') text += piece.text
      else {
        const part = this.#textOf({ site, index: piece.index, reference: piece.reference })
        this.#grow(part.length, site)
        text += part
      }
    }
    return text
  }

  #textOf(use: Use): string {
    const target = this.#targetOf(use)
    if (target === undefined) return use.reference.fallback ?? String(this.#fallbackOf(use).value)
    const { value, spelling } = target
    if (typeof value !== 'object' || value === null) return spelling ?? String(value)
    const what = Array.isArray(value) ? 'an array' : 'an object'
    const reason =
      use.site.kind === 'key'
        ? `${use.reference.text} is ${what}; a key can hold text, numbers, true, false and null`
        : `${use.reference.text} is ${what}; it can be a whole value but no part of a longer text`
    throw this.#errorIn('JSON5X_MACRO_TYPE', reason, use)
  }

  #targetOf(use: Use): Target | undefined {
    const { name, segments } = use.reference
    const { env, macros } = this.#settings
    let holder: unknown
    if (env !== undefined && name === ENV) {
      if (segments.length !== 1 || !Object.hasOwn(env, segments[0]!)) return undefined
      const text = env[segments[0]!]
      return text === undefined ? undefined : { value: text, spelling: undefined }
    }
    if (this.#isOverridden(name)) holder = macros
    else if (this.#table !== undefined && Object.hasOwn(this.#table, name)) {
      this.#resolve(name, use)
      holder = this.#table
    }
    let target: Target | undefined
    for (const segment of [name, ...segments]) {
      target = this.#memberOf(holder, segment)
      if (target === undefined) return undefined
      holder = target.value
    }
    return target
  }

  #memberOf(holder: unknown, segment: string): Target | undefined {
    if (typeof holder !== 'object' || holder === null || !Object.hasOwn(holder, segment))
      return undefined
    // Arrays have an own `length`, which is no part of the document.
    if (Array.isArray(holder) && !/^\d+$/.test(segment)) return undefined
    const key = Array.isArray(holder) ? Number(segment) : segment
    return { value: (holder as Holder)[key], spelling: this.#notes.spellingOf(holder, key) }
  }

  #isOverridden(name: string): boolean {
    return this.#settings.macros !== undefined && Object.hasOwn(this.#settings.macros, name)
  }

  /** The default of a reference whose target is missing, read as a scalar where it is one. */
  #fallbackOf(use: Use): Target {
    const { fallback, text, name, segments } = use.reference
    if (fallback !== undefined) return { value: scalarOf(fallback), spelling: undefined }
    if (this.#settings.keepsUnknown) return { value: text, spelling: undefined }
    const path = [name, ...segments].join('.')
    const isPart = segments.length > 0 && (this.#knownNames().includes(name) || name === ENV)
    const nearest = isPart ? [] : nearestNames(name, this.#knownNames())
    const hint = nearest.length === 0 ? '' : `; did you mean ${nearest.join(' or ')}?`
    const reason = isPart
      ? `${path} does not exist: ${name} has no such part`
      : `no macro is named ${path}${hint}`
    throw this.#errorIn('JSON5X_MACRO_UNKNOWN', reason, use)
  }

  #knownNames(): string[] {
    const { macros = {} } = this.#settings
    return [...new Set([...Object.keys(macros), ...Object.keys(this.#table ?? {})])]
  }

  #resolve(name: string, use?: Use): void {
    if (this.#resolved.has(name)) return
    const names = this.#chain.map((link) => link.name)
    if (names.includes(name)) {
      const circle = [...names.slice(names.indexOf(name)), name].join(' -> ')
      throw this.#errorIn('JSON5X_MACRO_CYCLE', `macros lead in a circle: ${circle}`, use!)
    }
    if (names.length === MAX_CHAIN) {
      const reason = `more than ${MAX_CHAIN} macros lead from one to the next`
      throw this.#errorIn('JSON5X_MACRO_LIMIT', reason, use!)
    }
    this.#chain.push({ name, use })
    this.#apply(this.#sitesOfEntry(name))
    this.#chain.pop()
    this.#resolved.add(name)
  }

  #sitesOfEntry(name: string): DollarSite[] {
    const known = this.#entrySites.get(name)
    if (known !== undefined) return known
    const sites: DollarSite[] = []
    this.#entrySites.set(name, sites)
    return sites
  }

  #copy(value: unknown, depth: number, use: Use): unknown {
    this.#grow(typeof value === 'string' ? value.length : VALUE_COST, use.site)
    if (typeof value !== 'object' || value === null) return value
    if (depth === this.#settings.maxDepth) {
      const reason = `with ${use.reference.text} this is nested deeper than ${depth} levels`
      throw this.#errorIn('JSON5X_TOO_DEEP', reason, use)
    }
    const copy: Holder = Array.isArray(value) ? ([] as never) : {}
    for (const [key, inner] of Object.entries(value)) {
      setMember(copy, key, this.#copy(inner, depth + 1, use))
      const index = Array.isArray(value) ? Number(key) : key
      const spelling = this.#notes.spellingOf(value, index)
      if (spelling !== undefined) this.#notes.spell(copy, index, spelling)
    }
    return copy
  }

  #grow(by: number, { offset, path }: DollarSite): void {
    this.#expansion += by
    if (this.#expansion <= this.#settings.maxExpansion) return
    const reason = `macros make the document grow by more than ${this.#settings.maxExpansion} characters`
    throw this.#errorAt('JSON5X_MACRO_LIMIT', reason, { offset, path })
  }

  /** An error at a reference, which also names where its macro is defined and what led there. */
  #errorIn(code: Json5xErrorCode, reason: string, use: Use): Json5xError {
    const { site, index, reference } = use
    const related: { note: string; offset: number }[] = []
    const defined = this.#notes.entryOffsets.get(reference.name)
    if (this.#isOverridden(reference.name))
      reason = `${reason}; ${reference.name} is given by the caller`
    else if (defined !== undefined)
      related.push({ note: `${reference.name} is defined here`, offset: defined })
    const [outermost] = this.#chain
    if (outermost?.use !== undefined)
      related.push({
        note: `${outermost.name} is used here`,
        offset: this.#offsetOf(outermost.use),
      })
    return this.#errorAt(code, reason, {
      offset: this.#offsetOf(use),
      length:
        offsetInToken(this.#text, site.offset, index + reference.text.length) - this.#offsetOf(use),
      path: site.path,
      related,
    })
  }

  #errorAt(code: Json5xErrorCode, reason: string, place: Json5xErrorSource): Json5xError {
    const { filename } = this.#settings
    return new Json5xError(code, reason, { filename, text: this.#text, ...place })
  }

  #offsetOf({ site, index }: Use): number {
    return offsetInToken(this.#text, site.offset, index)
  }
}

function scalarOf(text: string): unknown {
  if (/^\s*[[{]/.test(text)) return text
  try {
    const settings = { filename: undefined, allowsDuplicates: false, maxDepth: 1 }
    return new Parser(text, settings).document()
  } catch {
    return text
  }
}
