import type { Path } from './place.ts'

/** The root member that holds the document's own macros. */
export const MACRO_TABLE = '$MACRO$'

/** An object or array of the result, as the macros change it in place. */
export type Holder = Record<string | number, unknown>

/** A string value or key with a `$` in it. */
export interface DollarSite {
  readonly kind: 'value' | 'key'
  readonly holder: Holder
  /** The member's name or index; for a key the name itself. */
  readonly key: string | number
  /** The decoded string. */
  readonly text: string
  /** Where its token begins in the document. */
  readonly offset: number
  readonly path: Path
}

/** What the parser remembers for the macros: nothing of it is needed in a document without. */
export class MacroNotes {
  readonly sites: DollarSite[] = []
  /** Where the root has its table; undefined without one. */
  tableOffset: number | undefined
  /** Where each entry of the table has its name. */
  readonly entryOffsets: Map<string, number> = new Map()
  /** Numbers of the table that are written otherwise than JavaScript would. */
  readonly #spellings = new WeakMap<object, Map<string | number, string>>()

  spell(holder: object, key: string | number, spelling: string): void {
    const known = this.#spellings.get(holder)
    if (known === undefined) this.#spellings.set(holder, new Map([[key, spelling]]))
    else known.set(key, spelling)
  }

  spellingOf(holder: object, key: string | number): string | undefined {
    return this.#spellings.get(holder)?.get(key)
  }
}
