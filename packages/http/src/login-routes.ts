import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Account, AccountStore } from './accounts.ts'
import { clientOf } from './client-address.ts'
import { HttpError } from './errors.ts'
import type { Settings } from './options.ts'
import { Passwords, type ScryptCost } from './passwords.ts'
import { randomWord } from './random.ts'
import { RateLimiter } from './rate-limiter.ts'

/** What a login answers. */
export interface LoginAnswer {
  /** Opens a session at a gate; short-lived. */
  readonly ticket: string
  /** The account's id. */
  readonly account: string
  readonly name: string
  /** Where to connect; try them in this order. */
  readonly gates: readonly string[]
}

/** A guest's first answer also has the password that was made up, to log in with later. */
export interface GuestAnswer extends LoginAnswer {
  readonly password: string
}

export interface LoginCounts {
  registered: number
  guests: number
  loggedIn: number
  refused: number
  rateLimited: number
}

interface Credentials {
  readonly name: string
  readonly password: string
}

const ACCOUNT_ID_LENGTH = 20
const GUEST_NAME_LENGTH = 8
/** 100 random bits cannot be guessed, so hashing them need not be dear. */
const GUEST_PASSWORD_LENGTH = 20
const GUEST_SCRYPT: ScryptCost = { cost: 2 ** 10, blockSize: 8, parallelization: 1 }
const GUEST_TRIES = 5
const NAME = /^[\p{L}\p{M}\p{N}_.-]+$/u

/** Adds `/register`, `/login` and `/guest` as the settings say. */
export function addLoginRoutes(
  app: FastifyInstance,
  accounts: AccountStore,
  settings: Settings,
  counts: LoginCounts,
): void {
  const { random, clock, nameLength, passwordLength } = settings
  const passwords = new Passwords({
    scrypt: settings.scrypt,
    maxWaiting: settings.maxWaitingLogins,
    random,
  })
  const onRequest = rateLimit(settings, counts)

  const makeAccount = async (
    name: string,
    passwordHash: string,
    isGuest: boolean,
  ): Promise<Account | undefined> => {
    const account: Account = {
      id: randomWord(random, ACCOUNT_ID_LENGTH),
      key: keyOf(name),
      name,
      passwordHash,
      isGuest,
      createdAt: clock.wall(),
    }
    return (await accounts.create(account)) ? account : undefined
  }

  const answer = (account: Account, gates: readonly string[]): LoginAnswer => ({
    ticket: settings.tickets.sign(account.id, settings.claims(account)),
    account: account.id,
    name: account.name,
    gates,
  })

  app.post<{ Body: Credentials }>('/login', {
    onRequest,
    // Any length up to the limits: a name that cannot exist is as wrong as one that does not.
    schema: { body: credentials([1, nameLength[1]], [1, passwordLength[1]]) },
    handler: async ({ body }) => {
      const gates = await gatesNow(settings)
      const account = await accounts.find(keyOf(body.name.normalize('NFKC')))
      if (!(await passwords.check(body.password, account?.passwordHash)) || account === undefined) {
        counts.refused += 1
        throw new HttpError('HTTP_UNAUTHORIZED', 'this name and password do not belong together')
      }
      counts.loggedIn += 1
      return answer(account, gates)
    },
  })

  if (settings.registration) {
    app.post<{ Body: Credentials }>('/register', {
      onRequest,
      schema: { body: credentials(nameLength, passwordLength) },
      handler: async ({ body }, reply) => {
        const name = checkName(body.name)
        const gates = await gatesNow(settings)
        const taken = new HttpError('HTTP_NAME_TAKEN', 'this name is taken')
        // Asked first as well, so that a taken name costs no hash.
        if ((await accounts.find(keyOf(name))) !== undefined) throw taken
        const account = await makeAccount(name, await passwords.hash(body.password), false)
        if (account === undefined) throw taken
        counts.registered += 1
        return reply.code(201).send(answer(account, gates))
      },
    })
  }

  if (settings.guests) {
    app.post('/guest', {
      onRequest,
      handler: async (_request, reply) => {
        const gates = await gatesNow(settings)
        const password = randomWord(random, GUEST_PASSWORD_LENGTH)
        const passwordHash = await passwords.hash(password, GUEST_SCRYPT)
        for (let attempt = 1; attempt <= GUEST_TRIES; attempt += 1) {
          const name = `guest-${randomWord(random, GUEST_NAME_LENGTH)}`
          const account = await makeAccount(name, passwordHash, true)
          if (account === undefined) continue
          counts.guests += 1
          const guest: GuestAnswer = { ...answer(account, gates), password }
          return reply.code(201).send(guest)
        }
        throw new Error(`no free guest name in ${GUEST_TRIES} tries`)
      },
    })
  }
}

/** One spelling for each name, so that nobody can register a look-alike that differs in case only. */
const keyOf = (name: string): string => name.toLowerCase()

function checkName(given: string): string {
  const name = given.normalize('NFKC')
  if (NAME.test(name)) return name
  throw new HttpError(
    'HTTP_BAD_REQUEST',
    'body/name may contain letters, digits, hyphens, dots and underscores',
  )
}

type Range = readonly [least: number, most: number]
const text = ([minLength, maxLength]: Range): object => ({ type: 'string', minLength, maxLength })
const credentials = (name: Range, password: Range): object => ({
  type: 'object',
  required: ['name', 'password'],
  additionalProperties: false,
  properties: { name: text(name), password: text(password) },
})

async function gatesNow({ gates, logger }: Settings): Promise<readonly string[]> {
  if (typeof gates !== 'function') return gates
  try {
    return await gates()
  } catch (cause) {
    logger.warn('the gates are not known', { error: cause })
    throw new HttpError('HTTP_UNAVAILABLE', 'no gates are known at the moment; try again', {
      cause,
      retryAfterSeconds: 1,
    })
  }
}

function rateLimit(
  { rateLimit: limit, clock }: Settings,
  counts: LoginCounts,
): ((request: FastifyRequest) => Promise<void>)[] {
  if (limit === false) return []
  const limiter = new RateLimiter(limit)
  return [
    async ({ ip }) => {
      const waitMs = limiter.take(clientOf(ip), clock.now())
      if (waitMs === 0) return
      counts.rateLimited += 1
      throw new HttpError('HTTP_RATE_LIMITED', 'too many tries from this address; wait a little', {
        retryAfterSeconds: Math.ceil(waitMs / 1_000),
      })
    },
  ]
}
