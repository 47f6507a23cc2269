import { scrypt, timingSafeEqual } from 'node:crypto'
import { HttpError } from './errors.ts'
import type { Random } from './random.ts'

/** How dear one guess at a password is. Each hash keeps its own, so a change affects new ones only. */
export interface ScryptCost {
  /** N of RFC 7914, a power of two. With `blockSize` it sets the memory: 128 × cost × blockSize bytes. */
  readonly cost: number
  /** r of RFC 7914. */
  readonly blockSize: number
  /** p of RFC 7914. */
  readonly parallelization: number
}

/** One of the settings OWASP names as equally strong: 16 MiB, about 0.1 s of one core. */
export const DEFAULT_SCRYPT: ScryptCost = { cost: 2 ** 14, blockSize: 8, parallelization: 5 }

const SALT_BYTES = 16
const HASH_BYTES = 32
/** A stored hash that asks for more memory than this is not of ours. */
const MAX_MEMORY_BYTES = 2 ** 30
/** Hashes at once. Node computes them on its four pool threads, which files and DNS need too. */
const MAX_RUNNING = 2

export interface PasswordsOptions {
  readonly scrypt: ScryptCost
  /** How many may wait for their turn before `HTTP_BUSY`. */
  readonly maxWaiting: number
  readonly random: Random
}

interface ParsedHash {
  readonly scrypt: ScryptCost
  readonly salt: Buffer
  readonly hash: Buffer
}

/** Hashes and checks passwords, a few at a time. */
export class Passwords {
  readonly #options: PasswordsOptions
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(options: PasswordsOptions) {
    checkCost(options.scrypt)
    this.#options = options
  }

  /**
   * @returns A hash in the PHC string format, with its parameters and a salt of its own.
   * @throws HttpError `HTTP_BUSY`.
   */
  async hash(password: string, cost: ScryptCost = this.#options.scrypt): Promise<string> {
    const salt = Buffer.from(this.#options.random(SALT_BYTES))
    return format({ scrypt: cost, salt, hash: await this.#derive(password, salt, cost) })
  }

  /**
   * Compares in constant time. Without a hash (there is no such account) it takes as long and says no.
   *
   * @throws HttpError `HTTP_BUSY`. @throws TypeError for a stored hash that is none.
   */
  async check(password: string, stored: string | undefined): Promise<boolean> {
    const parsed = stored === undefined ? this.#noAccount() : parse(stored)
    const hash = await this.#derive(password, parsed.salt, parsed.scrypt)
    return timingSafeEqual(hash, parsed.hash) && stored !== undefined
  }

  #noAccount(): ParsedHash {
    const salt = Buffer.alloc(SALT_BYTES)
    return { scrypt: this.#options.scrypt, salt, hash: Buffer.alloc(HASH_BYTES) }
  }

  async #derive(password: string, salt: Buffer, cost: ScryptCost): Promise<Buffer> {
    await this.#turn()
    try {
      return await derive(password, salt, cost)
    } finally {
      // The turn goes from hand to hand, so that nobody slips in between.
      const next = this.#waiting.shift()
      if (next === undefined) this.#running -= 1
      else next()
    }
  }

  async #turn(): Promise<void> {
    if (this.#running < MAX_RUNNING) {
      this.#running += 1
      return
    }
    if (this.#waiting.length >= this.#options.maxWaiting) {
      const message = 'too many logins at once; try again in a moment'
      throw new HttpError('HTTP_BUSY', message, { retryAfterSeconds: 1 })
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }
}

function derive(password: string, salt: Buffer, cost: ScryptCost): Promise<Buffer> {
  // The same characters typed on different systems must be the same bytes.
  const text = password.normalize('NFKC')
  const { cost: N, blockSize: r, parallelization: p } = cost
  return new Promise((resolve, reject) => {
    // OpenSSL counts a little more than the 128 N r bytes of the algorithm.
    scrypt(text, salt, HASH_BYTES, { N, r, p, maxmem: memoryOf(cost) * 2 }, (error, hash) => {
      if (error === null) resolve(hash)
      else reject(error)
    })
  })
}

const memoryOf = ({ cost, blockSize, parallelization }: ScryptCost): number =>
  128 * blockSize * (cost + parallelization)

function checkCost(scrypt: ScryptCost): void {
  const { cost, blockSize, parallelization } = scrypt
  const isFine =
    [cost, blockSize, parallelization].every(
      (value) => Number.isSafeInteger(value) && value >= 1,
    ) &&
    cost >= 2 &&
    Number.isInteger(Math.log2(cost)) &&
    parallelization <= 64 &&
    memoryOf(scrypt) <= MAX_MEMORY_BYTES
  if (!isFine) {
    throw new RangeError(
      `scrypt must be a cost that RFC 7914 allows, not ${JSON.stringify(scrypt)}`,
    )
  }
}

const PHC = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,4}),p=(\d{1,3})\$([A-Za-z\d+/]+)\$([A-Za-z\d+/]+)$/

function format({ scrypt, salt, hash }: ParsedHash): string {
  const { cost, blockSize, parallelization } = scrypt
  const parameters = `ln=${Math.log2(cost)},r=${blockSize},p=${parallelization}`
  return `$scrypt$${parameters}$${base64(salt)}$${base64(hash)}`
}

const base64 = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '')

function parse(stored: string): ParsedHash {
  const [, ln, r, p, salt = '', hash = ''] = PHC.exec(stored) ?? []
  const cost = { cost: 2 ** Number(ln), blockSize: Number(r), parallelization: Number(p) }
  const parsed = {
    scrypt: cost,
    salt: Buffer.from(salt, 'base64'),
    hash: Buffer.from(hash, 'base64'),
  }
  // Not the hash itself in the message: that would put it into logs.
  if (parsed.hash.length !== HASH_BYTES) throw new TypeError('a stored password hash is malformed')
  checkCost(cost)
  return parsed
}
