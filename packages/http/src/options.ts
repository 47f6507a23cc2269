import type { FastifyCorsOptions } from '@fastify/cors'
import type { Account, AccountStore } from './accounts.ts'
import { systemClock, type Clock } from './clock.ts'
import type { HealthCheck } from './health.ts'
import { silentLogger, type Logger } from './logger.ts'
import { DEFAULT_SCRYPT, type ScryptCost } from './passwords.ts'
import { systemRandom, type Random } from './random.ts'
import type { RateLimit } from './rate-limiter.ts'
import type { Tickets } from './tickets.ts'

/** Where players may connect, best first; asked at each login. */
export type Gates = readonly string[] | (() => readonly string[] | Promise<readonly string[]>)

export interface HttpServiceOptions {
  /** Signs tickets at login and checks them in `requireTicket`. */
  readonly tickets: Tickets
  /** Where accounts are kept. Without it there is no `/register`, `/login` or `/guest`. */
  readonly accounts?: AccountStore
  /** Addresses of gates, as each login returns them. @defaultValue none */
  readonly gates?: Gates
  /** Whether `POST /register` exists. @defaultValue true */
  readonly registration?: boolean
  /** Whether `POST /guest` makes an account with a made-up name and password. @defaultValue false */
  readonly guests?: boolean
  /** More that a ticket should say of its account. @defaultValue its name: `{ name }` */
  readonly claims?: (account: Account) => Readonly<Record<string, unknown>>
  /** What must be there before this node takes requests, by name. @defaultValue nothing */
  readonly checks?: Readonly<Record<string, HealthCheck>>
  /** How long one check may take, in milliseconds. From 1. @defaultValue 1000 */
  readonly checkTimeoutMs?: number
  /** For each client on register, login and guest together. @defaultValue 20 at once, 20 per minute */
  readonly rateLimit?: RateLimit | false
  /** Length of a name, in characters: at least, at most. @defaultValue [3, 24] */
  readonly nameLength?: readonly [least: number, most: number]
  /** Length of a password, in characters: at least, at most. @defaultValue [8, 128] */
  readonly passwordLength?: readonly [least: number, most: number]
  /** How dear password hashes are. @defaultValue cost 16384, blockSize 8, parallelization 5 */
  readonly scrypt?: ScryptCost
  /** How many logins may wait for their hash before `HTTP_BUSY`. From 0. @defaultValue 64 */
  readonly maxWaitingLogins?: number
  /** Lets pages of other origins call this service; true for all of them. @defaultValue false */
  readonly cors?: boolean | FastifyCorsOptions
  /** How large a request body may be. From 1. @defaultValue 16384 */
  readonly maxBodyBytes?: number
  /**
   * How long a request may take to arrive, and then to be answered, in milliseconds. From 1.
   * @defaultValue 10000
   */
  readonly requestTimeoutMs?: number
  /** How long `close` lets requests finish, in milliseconds. From 1. @defaultValue 5000 */
  readonly closeTimeoutMs?: number
  /**
   * Proxies whose `X-Forwarded-For` is believed: addresses or networks. Without it, all players behind
   * a proxy are one client to the rate limit. @defaultValue none
   */
  readonly trustProxy?: string | readonly string[]
  readonly clock?: Clock
  readonly random?: Random
  readonly logger?: Logger
}

export type Settings = Required<Omit<HttpServiceOptions, 'accounts' | 'trustProxy'>> &
  Pick<HttpServiceOptions, 'accounts' | 'trustProxy'>

const DEFAULTS: Omit<Settings, 'tickets'> = {
  gates: [],
  registration: true,
  guests: false,
  claims: ({ name }) => ({ name }),
  checks: {},
  checkTimeoutMs: 1_000,
  rateLimit: { burst: 20, perMinute: 20 },
  nameLength: [3, 24],
  passwordLength: [8, 128],
  scrypt: DEFAULT_SCRYPT,
  maxWaitingLogins: 64,
  cors: false,
  maxBodyBytes: 16 * 1_024,
  requestTimeoutMs: 10_000,
  closeTimeoutMs: 5_000,
  clock: systemClock,
  random: systemRandom,
  logger: silentLogger,
}

/** The longest delay a timer of Node can have. */
const MAX_DELAY_MS = 2 ** 31 - 1
const MAX_LENGTH = 1_024

/** @throws RangeError naming the option that is out of range. */
export function checkOptions(options: HttpServiceOptions): Settings {
  const settings = { ...DEFAULTS, ...options }
  checkWhole('checkTimeoutMs', settings.checkTimeoutMs, 1, MAX_DELAY_MS)
  checkWhole('maxWaitingLogins', settings.maxWaitingLogins, 0)
  checkWhole('maxBodyBytes', settings.maxBodyBytes, 1)
  checkWhole('requestTimeoutMs', settings.requestTimeoutMs, 1, MAX_DELAY_MS)
  checkWhole('closeTimeoutMs', settings.closeTimeoutMs, 1, MAX_DELAY_MS)
  for (const field of ['nameLength', 'passwordLength'] as const) {
    const [least, most] = settings[field]
    checkWhole(`${field}[0]`, least, 1, MAX_LENGTH)
    checkWhole(`${field}[1]`, most, least, MAX_LENGTH)
  }
  return settings
}

function checkWhole(
  field: string,
  value: number,
  least: number,
  most: number = Number.MAX_SAFE_INTEGER,
): void {
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    throw new RangeError(`${field} must be a whole number from ${least} to ${most}, not ${value}`)
  }
}
