/** What a source file became: a function body, and what the runner needs to know about it. */
export interface ModuleCode {
  /** Body of `function (__hot, __x, __i0, __i1, ...)`. */
  readonly code: string
  /** Where each part of `code` was in the source, as a source map has it. Empty for data. */
  readonly mappings: string
  /** Specifiers of static imports and re-exports, in order; the n-th is parameter `__i<n>`. */
  readonly requests: readonly string[]
  /** Import attributes of each request, as text to put after the specifier. */
  readonly attributes: readonly string[]
  /** The line of each request. */
  readonly requestLines: readonly number[]
  readonly imports: readonly ImportedName[]
  /** Every name it exports by itself. */
  readonly exports: readonly string[]
  /** Indexes of requests behind `export * from`. */
  readonly stars: readonly number[]
  readonly classes: ReadonlyMap<string, ClassShape>
  readonly functions: ReadonlyMap<string, FunctionShape>
  /** Imported names that it copies, or reads while it is evaluated: what was read then stays what it was. */
  readonly copied: readonly CopiedName[]
}

export interface CopiedName extends ImportedName {
  /** Whether the copy is taken anew when the module is evaluated again, rather than by a function of it. */
  readonly isTopLevel: boolean
}

export interface ImportedName {
  readonly request: number
  /** The exported name, `*` for the namespace. */
  readonly name: string
  readonly line: number
}

export interface MemberShape {
  readonly text: string
  readonly line: number
  readonly kind: 'method' | 'field' | 'static-field' | 'static-block'
  readonly suspends: boolean
}

export interface ClassShape {
  readonly line: number
  readonly parent: string
  /** By a label such as `fire`, `static make`, `get speed`, `#aim`. */
  readonly members: ReadonlyMap<string, MemberShape>
  readonly hasPrivates: boolean
  /** Its private members went into WeakMaps with its decorators. */
  readonly isLowered: boolean
}

export interface FunctionShape {
  readonly line: number
  readonly text: string
  /** Async functions and generators: a call in progress ends on the code it began with. */
  readonly suspends: boolean
}
