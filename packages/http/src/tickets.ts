import { createHash } from 'node:crypto'
import type { FastifyJWTOptions } from '@fastify/jwt'
import { createDecoder, createSigner, createVerifier } from 'fast-jwt'
import { systemClock, type Clock } from './clock.ts'
import { HttpError } from './errors.ts'
import { systemRandom, type Random } from './random.ts'

export interface TicketsOptions {
  /** What signs and verifies: at least 32 bytes (RFC 7518, 3.2), the same on every node. */
  readonly secret?: string | Uint8Array
  /**
   * Instead of `secret`, to change it while players log in: the first signs, all verify. Add the new
   * one at the end everywhere, then move it to the front, then remove the old one.
   */
  readonly secrets?: readonly (string | Uint8Array)[]
  /** How long a ticket is valid, in seconds. A whole number from 1. @defaultValue 300 */
  readonly ttlSeconds?: number
  /** Who issues tickets; those of another issuer are invalid. @defaultValue 'rts' */
  readonly issuer?: string
  /** Tickets follow its `wall()`. */
  readonly clock?: Clock
  readonly random?: Random
}

/** What a valid ticket says. A type and not an interface, so that it fits records of `unknown`. */
export type Ticket = {
  readonly account: string
  /** Different for each ticket. */
  readonly id: string
  /** Seconds since 1970. */
  readonly issuedAt: number
  /** Seconds since 1970; from then on it is expired. */
  readonly expiresAt: number
  /** What was added when it was signed. */
  readonly claims: Readonly<Record<string, unknown>>
}

const DEFAULTS = { ttlSeconds: 300, issuer: 'rts', clock: systemClock, random: systemRandom }
const MIN_SECRET_BYTES = 32
const MAX_TICKET_LENGTH = 4_096
const MAX_TTL_SECONDS = 10 * 365 * 24 * 3_600
const TICKET_ID_BYTES = 9
/** The registered claim names of RFC 7519. */
const RESERVED: ReadonlySet<string> = new Set(['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti'])

/**
 * Tickets under a shared secret: HS256 JSON Web Tokens.
 *
 * @param options - Or only the secret.
 * @throws RangeError when a secret is too short.
 */
export function tickets(options: TicketsOptions | string): Tickets {
  return new Tickets(typeof options === 'string' ? { secret: options } : options)
}

/**
 * Signs and verifies tickets, the short-lived proof of login that opens a session. Both are
 * synchronous, so a gate can check a ticket in the middle of a handshake; no Fastify is involved.
 */
export class Tickets {
  readonly issuer: string
  readonly ttlSeconds: number
  readonly #clock: Clock
  readonly #random: Random
  readonly #keys: ReadonlyMap<string, Key>
  readonly #newest: Key
  readonly #sign: (payload: Record<string, unknown>) => string
  readonly #decode: (ticket: string) => DecodedToken

  constructor(options: TicketsOptions) {
    const settings = { ...DEFAULTS, ...options }
    this.ttlSeconds = checkTtl(settings.ttlSeconds)
    this.issuer = settings.issuer
    this.#clock = settings.clock
    this.#random = settings.random
    const keys = secretsOf(options).map((secret) => makeKey(secret, this.issuer))
    const [newest] = keys
    if (newest === undefined) throw new TypeError('tickets need a secret')
    this.#newest = newest
    this.#keys = new Map(keys.map((key) => [key.id, key]))
    this.#sign = createSigner({ key: newest.secret, algorithm: 'HS256', kid: newest.id })
    this.#decode = createDecoder({ complete: true })
  }

  /**
   * @param claims - More that the ticket should say; the player can read it, so nothing secret.
   * @throws RangeError when the ticket would be over 4096 characters, or a claim has a reserved name.
   */
  sign(account: string, claims: Readonly<Record<string, unknown>> = {}): string {
    if (account === '') throw new RangeError('account must not be empty')
    const reserved = Object.keys(claims).find((name) => RESERVED.has(name))
    if (reserved !== undefined) throw new RangeError(`the claim name ${reserved} is reserved`)
    const iat = Math.floor(this.#clock.wall() / 1_000)
    const jti = Buffer.from(this.#random(TICKET_ID_BYTES)).toString('base64url')
    const exp = iat + this.ttlSeconds
    const ticket = this.#sign({ ...claims, iss: this.issuer, sub: account, jti, iat, exp })
    if (ticket.length > MAX_TICKET_LENGTH) {
      throw new RangeError(`a ticket of ${ticket.length} characters is over ${MAX_TICKET_LENGTH}`)
    }
    return ticket
  }

  /** @throws HttpError `HTTP_TICKET_EXPIRED` or `HTTP_TICKET_INVALID`. */
  verify(ticket: string): Ticket {
    if (typeof ticket !== 'string' || ticket.length > MAX_TICKET_LENGTH) {
      throw new HttpError('HTTP_TICKET_INVALID', 'this is no ticket')
    }
    let payload: unknown
    try {
      payload = this.#keyOf(this.#decode(ticket)).verify(ticket)
    } catch (cause) {
      throw asTicketError(cause)
    }
    return this.#read(payload)
  }

  /**
   * Options that make `@fastify/jwt` accept exactly these tickets, in an application of your own:
   * `app.register(fastifyJwt, desk.fastifyJwt())`. Then `request.jwtVerify()` puts the ticket into
   * `request.ticket`. It only verifies; `sign` signs.
   */
  fastifyJwt(): FastifyJWTOptions {
    return {
      secret: {
        public: async (_request: unknown, token: unknown) =>
          this.#keyOf(token as DecodedToken).secret,
      },
      // With the header, which names the key.
      decode: { complete: true },
      verify: verifierOptions(this.issuer),
      trusted: async (_request, payload) => {
        this.#read(payload)
        return true
      },
      formatUser: (payload) => toTicket(payload) as Ticket,
      decoratorName: 'ticket',
    }
  }

  /** The key a decoded token names; the newest when it names none. */
  #keyOf(token: DecodedToken): Key {
    const kid = token.header?.kid
    const key = kid === undefined ? this.#newest : this.#keys.get(String(kid))
    if (key !== undefined) return key
    throw new HttpError('HTTP_TICKET_INVALID', 'the ticket was signed with a secret not in use')
  }

  /** What the payload of a properly signed token says, if it is a ticket and valid now. */
  #read(payload: unknown): Ticket {
    const ticket = toTicket(payload)
    if (ticket === undefined) throw new HttpError('HTTP_TICKET_INVALID', 'this is no ticket')
    if (this.#clock.wall() >= ticket.expiresAt * 1_000) {
      throw new HttpError('HTTP_TICKET_EXPIRED', 'the ticket has expired; log in again')
    }
    return ticket
  }
}

interface DecodedToken {
  readonly header?: { readonly kid?: unknown }
}

interface Key {
  /** Short and public; tells which secret signed. */
  readonly id: string
  readonly secret: Buffer
  readonly verify: (ticket: string) => unknown
}

function makeKey(given: string | Uint8Array, issuer: string): Key {
  const secret = Buffer.from(given)
  if (secret.length < MIN_SECRET_BYTES) {
    throw new RangeError(
      `a ticket secret must have at least ${MIN_SECRET_BYTES} bytes, not ${secret.length}`,
    )
  }
  const verify = createVerifier({ key: secret, ...verifierOptions(issuer) })
  const id = createHash('sha256')
    .update('ticket key')
    .update(secret)
    .digest('base64url')
    .slice(0, 8)
  return { id, secret, verify }
}

const verifierOptions = (issuer: string) => ({
  algorithms: ['HS256' as const],
  allowedIss: issuer,
  requiredClaims: ['iss', 'sub', 'jti', 'iat', 'exp'],
  // The clock of this package decides that.
  ignoreExpiration: true,
  ignoreNotBefore: true,
})

function secretsOf({ secret, secrets }: TicketsOptions): readonly (string | Uint8Array)[] {
  if (secret !== undefined && secrets !== undefined) {
    throw new TypeError('tickets take secret or secrets, not both')
  }
  return secrets ?? (secret === undefined ? [] : [secret])
}

function toTicket(payload: unknown): Ticket | undefined {
  if (typeof payload !== 'object' || payload === null) return undefined
  const { iss: _iss, sub, jti, iat, exp, ...claims } = payload as Record<string, unknown>
  if (typeof sub !== 'string' || sub === '' || typeof jti !== 'string') return undefined
  if (typeof iat !== 'number' || typeof exp !== 'number') return undefined
  return { account: sub, id: jti, issuedAt: iat, expiresAt: exp, claims }
}

/** Whatever a JWT library says, in the words of this package. */
export function asTicketError(cause: unknown): HttpError {
  if (cause instanceof HttpError) return cause
  return new HttpError('HTTP_TICKET_INVALID', 'the ticket is not valid', { cause })
}

function checkTtl(ttlSeconds: number): number {
  if (!Number.isInteger(ttlSeconds) || ttlSeconds < 1 || ttlSeconds > MAX_TTL_SECONDS) {
    throw new RangeError(
      `ttlSeconds must be a whole number from 1 to ${MAX_TTL_SECONDS}, not ${ttlSeconds}`,
    )
  }
  return ttlSeconds
}
