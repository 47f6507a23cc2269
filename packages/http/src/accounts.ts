/** An account as it is stored; plain data. */
export interface Account {
  /** Never changes and is never given again; what tickets and entities refer to. */
  readonly id: string
  /** What it is found by, unique: its name in one spelling (NFKC, lower case). */
  readonly key: string
  /** As the player wrote it. */
  readonly name: string
  /** scrypt in the PHC string format; carries its own parameters. */
  readonly passwordHash: string
  readonly isGuest: boolean
  /** Milliseconds since 1970. */
  readonly createdAt: number
}

/** Where accounts are kept. Any database fits that can insert only if absent. */
export interface AccountStore {
  find(key: string): Account | undefined | Promise<Account | undefined>
  /** Adds the account, unless its key is taken: then false, and nothing happens. Must be atomic. */
  create(account: Account): boolean | Promise<boolean>
}

/** Accounts in this process, for tests. */
export class MemoryAccountStore implements AccountStore {
  readonly #accounts = new Map<string, Account>()

  find(key: string): Account | undefined {
    return this.#accounts.get(key)
  }

  create(account: Account): boolean {
    if (this.#accounts.has(account.key)) return false
    this.#accounts.set(account.key, account)
    return true
  }
}
