import { login, type Login } from '../src/player/login.ts'

interface Credentials {
  readonly name: string
  readonly password: string
}

const GUEST = 'arena.guest'
const NAMED = 'arena.player'
const PASSWORD_BYTES = 16

/**
 * Who plays on this page. A guest lives as long as the tab, so that two tabs are two players; a name belongs to this
 * browser, which keeps the password it made up for it.
 */
export class SignIn {
  readonly #server: string

  constructor(server: string) {
    this.#server = server
  }

  /** The name that was used here the last time. */
  get lastName(): string {
    return recall(lasting, NAMED)?.name ?? ''
  }

  /** @throws an error with the server's `code`, for instance because the name belongs to somebody else. */
  enter(name: string): Promise<Login> {
    return name === '' ? this.#asGuest() : this.#asNamed(name)
  }

  async #asGuest(): Promise<Login> {
    const known = await this.#again(ofTab, GUEST)
    if (known !== undefined) return known
    const answer = await login(this.#server, '/guest')
    const { name, password } = answer
    if (password !== undefined) remember(ofTab, GUEST, { name, password })
    return answer
  }

  async #asNamed(name: string): Promise<Login> {
    if (this.lastName === name) {
      const known = await this.#again(lasting, NAMED)
      if (known !== undefined) return known
    }
    const bytes = crypto.getRandomValues(new Uint8Array(PASSWORD_BYTES))
    const password = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
    const answer = await login(this.#server, '/register', { name, password })
    remember(lasting, NAMED, { name, password })
    return answer
  }

  /** Logs in with what is remembered; undefined when the server does not know it any more. */
  async #again(storage: () => Storage, key: string): Promise<Login | undefined> {
    const known = recall(storage, key)
    if (known === undefined) return undefined
    try {
      return await login(this.#server, '/login', known)
    } catch (error) {
      if ((error as { code?: string }).code !== 'HTTP_UNAUTHORIZED') throw error
      storage().removeItem(key)
      return undefined
    }
  }
}

// A browser may forbid storage, then asking for it throws, and nothing is remembered.
const lasting = (): Storage => localStorage
const ofTab = (): Storage => sessionStorage

function recall(storage: () => Storage, key: string): Credentials | undefined {
  try {
    const known = JSON.parse(storage().getItem(key) ?? 'null') as Partial<Credentials> | null
    const { name, password } = known ?? {}
    if (typeof name === 'string' && typeof password === 'string') return { name, password }
  } catch {}
  return undefined
}

function remember(storage: () => Storage, key: string, credentials: Credentials): void {
  try {
    storage().setItem(key, JSON.stringify(credentials))
  } catch {}
}
