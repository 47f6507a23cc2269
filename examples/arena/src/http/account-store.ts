import type { Account, AccountStore } from '@rts/http'
import type { EntityStore } from '@rts/store'

/** Keeps the accounts of the login in the arena's store, each under its key. */
export class StoredAccounts implements AccountStore {
  readonly #store: EntityStore

  constructor(store: EntityStore) {
    this.#store = store
  }

  async find(key: string): Promise<Account | undefined> {
    const stored = await this.#store.load('account', key)
    // The store gives back what `create` gave it.
    return stored?.data as Account | undefined
  }

  /** False when the key is taken: version 0 saves only what does not exist yet. */
  async create(account: Account): Promise<boolean> {
    const request = { type: 'account', id: account.key, version: 0, fence: 0, data: account }
    const [result] = await this.#store.save([request])
    if (result?.saved === false && result.reason === 'refused') throw result.error
    return result?.saved === true
  }
}
