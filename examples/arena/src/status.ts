/** `1 room`, `2 rooms`. */
export const counted = (count: number, noun: string): string =>
  `${count} ${noun}${count === 1 ? '' : 's'}`

/** Any server may ask a node how it is doing. */
export class Status {
  static readonly rpc = { describe: 'server', code: 'server' } as const
  readonly #describe: () => string
  readonly #code: (() => number) | undefined

  constructor(describe: () => string, code?: () => number) {
    this.#describe = describe
    this.#code = code
  }

  /** One line: `3 rooms, 12 ships`. */
  describe(): string {
    return this.#describe()
  }

  /** The version of the game's code, where it runs any that can be reloaded. */
  code(): number | undefined {
    return this.#code?.()
  }
}
