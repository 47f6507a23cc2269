/** What went wrong, for programs. */
export type StoreErrorCode =
  | 'STORE_FENCED'
  | 'STORE_CONFLICT'
  | 'STORE_VALUE'
  | 'STORE_CORRUPT'
  | 'STORE_OPEN_FAILED'
  | 'STORE_SCHEMA'
  | 'STORE_BUSY'
  | 'STORE_IO'
  | 'STORE_CLOSED'
  | 'STORE_TIMEOUT'
  | 'STORE_FULL'

export interface StoreErrorOptions extends ErrorOptions {
  /** @defaultValue 'no' */
  readonly executed?: 'no' | 'maybe'
  readonly fence?: number
}

/** Any failure this package reports. Branch on `code`; `message` is for people. */
export class StoreError extends Error {
  override readonly name: string = 'StoreError'
  readonly code: StoreErrorCode
  /** `no`: nothing was written. `maybe`: whether it was written is not known. */
  readonly executed: 'no' | 'maybe'
  /** With `STORE_FENCED`: the fence of the newer owner, as the store has it. */
  readonly fence: number | undefined

  constructor(code: StoreErrorCode, message: string, options: StoreErrorOptions = {}) {
    super(message, options)
    this.code = code
    this.executed = options.executed ?? 'no'
    this.fence = options.fence
  }
}
