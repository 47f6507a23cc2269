/** `1 room`, `2 rooms`. */
export const counted = (count: number, noun: string): string =>
  `${count} ${noun}${count === 1 ? '' : 's'}`

/** Any server may ask a node how it is doing. */
export class Status {
  static readonly rpc = { describe: 'server' } as const
  readonly #describe: () => string

  constructor(describe: () => string) {
    this.#describe = describe
  }

  /** One line: `3 rooms, 12 ships`. */
  describe(): string {
    return this.#describe()
  }
}
