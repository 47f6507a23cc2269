import { SteppedClock, seededRandom } from '@rts/testing'
import { describe, expect, it } from 'vitest'
import {
  createHttpService,
  MemoryAccountStore,
  tickets,
  type Account,
  type AccountStore,
  type HttpServiceOptions,
} from '../src/index.ts'
import { OLD, WALL_MS } from './forged-tickets.ts'

class WatchedAccounts implements AccountStore {
  readonly created: Account[] = []
  readonly #inner = new MemoryAccountStore()
  /** Keys that another process takes between `find` and `create`. */
  readonly stolen = new Set<string>()

  async find(key: string): Promise<Account | undefined> {
    return this.#inner.find(key)
  }

  async create(account: Account): Promise<boolean> {
    if (this.stolen.delete(account.key)) return false
    this.created.push(account)
    return this.#inner.create(account)
  }
}

function setUp(options: Partial<HttpServiceOptions> = {}) {
  const clock = new SteppedClock({ wallMs: WALL_MS })
  const accounts = new WatchedAccounts()
  const desk = tickets({ secret: OLD, clock })
  const service = createHttpService({
    tickets: desk,
    accounts,
    gates: ['tcp://gate:1'],
    scrypt: { cost: 16, blockSize: 1, parallelization: 1 },
    clock,
    random: seededRandom(1),
    ...options,
  })
  const post = async (url: string, payload: object = {}, remoteAddress = '203.0.113.1') => {
    const answer = await service.app.inject({ method: 'POST', url, payload, remoteAddress })
    return { status: answer.statusCode, headers: answer.headers, body: answer.json() }
  }
  return { clock, accounts, desk, service, post, [Symbol.asyncDispose]: () => service.close() }
}

const ann = { name: 'Ann', password: 'correct horse' }
const error = (code: string) => ({ error: { code, message: expect.any(String) } })

describe('registering', () => {
  it('makes an account with an id of its own and no readable password', async () => {
    await using game = setUp()
    const { status, body } = await game.post('/register', ann)
    expect(status).toBe(201)
    expect(game.accounts.created).toEqual([
      {
        id: expect.stringMatching(/^[a-z2-9]{20}$/),
        key: 'ann',
        name: 'Ann',
        passwordHash: expect.stringMatching(/^\$scrypt\$ln=4,r=1,p=1\$/),
        isGuest: false,
        createdAt: WALL_MS,
      },
    ])
    expect(body.account).toBe(game.accounts.created[0]?.id)
    expect(JSON.stringify([body, game.accounts.created])).not.toContain('correct horse')
  })

  it.each(['Ann', 'ANN', 'ann', '\uff21nn'])('refuses a taken name, also as %s', async (name) => {
    await using game = setUp()
    await game.post('/register', ann)
    const { status, body } = await game.post('/register', { name, password: 'another password' })
    expect(status).toBe(409)
    expect(body).toEqual(error('HTTP_NAME_TAKEN'))
    expect(game.service.stats().registered).toBe(1)
  })

  it('refuses a name that somebody else takes at the same moment', async () => {
    await using game = setUp()
    game.accounts.stolen.add('ann')
    expect((await game.post('/register', ann)).body).toEqual(error('HTTP_NAME_TAKEN'))
  })

  it.each([
    ['a short name', { ...ann, name: 'An' }],
    ['a long name', { ...ann, name: 'A'.repeat(25) }],
    ['a name with spaces', { ...ann, name: 'A n n' }],
    ['a name with control characters', { ...ann, name: 'Ann\u0000' }],
    ['a name with a direction mark', { ...ann, name: 'Ann\u202e' }],
    ['a short password', { ...ann, password: 'horse' }],
    ['a long password', { ...ann, password: 'x'.repeat(129) }],
  ])('refuses %s', async (_what, payload) => {
    await using game = setUp()
    const { status, body } = await game.post('/register', payload)
    expect(status).toBe(400)
    expect(body).toEqual(error('HTTP_BAD_REQUEST'))
    expect(body.error.message).toMatch(/^body\/(name|password) /)
  })

  it.each(['漢字名', 'Zoë', 'd_v-4.2', 'Ångström'])('takes the name %s', async (name) => {
    await using game = setUp()
    expect((await game.post('/register', { ...ann, name })).status).toBe(201)
    expect((await game.post('/login', { ...ann, name })).body.name).toBe(name)
  })

  it('can be turned off', async () => {
    await using game = setUp({ registration: false })
    expect((await game.post('/register', ann)).body).toEqual(error('HTTP_NOT_FOUND'))
  })
})

describe('logging in', () => {
  it('gives a ticket for the same account each time, in any spelling of the name', async () => {
    await using game = setUp()
    const { account } = (await game.post('/register', ann)).body
    for (const name of ['Ann', 'aNN']) {
      const { status, body } = await game.post('/login', { ...ann, name })
      expect(status).toBe(200)
      expect(body).toEqual({
        ticket: expect.any(String),
        account,
        name: 'Ann',
        gates: ['tcp://gate:1'],
      })
      expect(game.desk.verify(body.ticket)).toMatchObject({ account, claims: { name: 'Ann' } })
    }
  })

  it('answers a wrong password and an unknown name alike', async () => {
    await using game = setUp()
    await game.post('/register', ann)
    const wrong = await game.post('/login', { ...ann, password: 'incorrect horse' })
    const unknown = await game.post('/login', { ...ann, name: 'bob' })
    const impossible = await game.post('/login', { ...ann, name: '\u202e' })
    expect(wrong.status).toBe(401)
    expect(wrong.body).toEqual(error('HTTP_UNAUTHORIZED'))
    expect(unknown.body).toEqual(wrong.body)
    expect(impossible.body).toEqual(wrong.body)
    expect(game.service.stats()).toMatchObject({ refused: 3, loggedIn: 0 })
  })

  it('puts into the ticket what the game wants there', async () => {
    await using game = setUp({ claims: ({ name, isGuest }) => ({ nick: name, isGuest }) })
    const { body } = await game.post('/register', ann)
    expect(game.desk.verify(body.ticket).claims).toEqual({ nick: 'Ann', isGuest: false })
  })

  it('asks for the gates each time', async () => {
    let load = 0
    await using game = setUp({ gates: async () => [`tcp://gate:${(load += 1)}`] })
    expect((await game.post('/register', ann)).body.gates).toEqual(['tcp://gate:1'])
    expect((await game.post('/login', ann)).body.gates).toEqual(['tcp://gate:2'])
  })

  it('makes no account while the gates are not known', async () => {
    let isAway = true
    await using game = setUp({
      gates: () => {
        if (isAway) throw new Error('etcd is away')
        return []
      },
    })
    const { status, body, headers } = await game.post('/register', ann)
    expect(status).toBe(503)
    expect(headers['retry-after']).toBe('1')
    expect(body).toEqual(error('HTTP_UNAVAILABLE'))
    expect(game.accounts.created).toEqual([])
    isAway = false
    expect((await game.post('/register', ann)).body.gates).toEqual([])
  })

  it('says so when too many do it at once', async () => {
    await using game = setUp({ maxWaitingLogins: 0, rateLimit: false })
    const all = await Promise.all(Array.from({ length: 12 }, () => game.post('/login', ann)))
    const busy = all.filter(({ status }) => status === 503)
    expect(busy.length).toBeGreaterThan(0)
    expect(busy[0]?.body).toEqual(error('HTTP_BUSY'))
    expect(busy[0]?.headers['retry-after']).toBe('1')
    expect((await game.post('/login', ann)).status).toBe(401)
  })
})

describe('a guest', () => {
  it('gets an account with one request, and can come back with what it was given', async () => {
    await using game = setUp({ guests: true })
    const { status, body } = await game.post('/guest')
    expect(status).toBe(201)
    expect(body).toEqual({
      ticket: expect.any(String),
      account: expect.any(String),
      name: expect.stringMatching(/^guest-[a-z2-9]{8}$/),
      password: expect.stringMatching(/^[a-z2-9]{20}$/),
      gates: ['tcp://gate:1'],
    })
    expect(game.accounts.created[0]?.isGuest).toBe(true)
    const { name, password } = body
    const again = await game.post('/login', { name, password })
    expect(again.body).toMatchObject({ account: body.account, name })
    expect(again.body.password).toBeUndefined()
    expect(game.service.stats()).toMatchObject({ guests: 1, loggedIn: 1 })
  })

  it('is never the guest before', async () => {
    await using game = setUp({ guests: true })
    const [one, two] = [await game.post('/guest'), await game.post('/guest')]
    expect(one.body.account).not.toBe(two.body.account)
    expect(one.body.password).not.toBe(two.body.password)
  })

  it('gets another name when the first is taken', async () => {
    const first = setUp({ guests: true })
    const { name } = (await first.post('/guest')).body
    await first.service.close()
    await using game = setUp({ guests: true })
    game.accounts.stolen.add(name)
    const { status, body } = await game.post('/guest')
    expect(status).toBe(201)
    expect(body.name).not.toBe(name)
  })

  it('is not there unless asked for', async () => {
    await using game = setUp()
    expect((await game.post('/guest')).status).toBe(404)
  })
})

describe('the rate limit', () => {
  it('counts all tries of one address together, and tells when to come back', async () => {
    await using game = setUp({ rateLimit: { burst: 3, perMinute: 6 }, guests: true })
    await game.post('/register', ann)
    await game.post('/login', ann)
    await game.post('/guest')
    const { status, body, headers } = await game.post('/login', ann)
    expect(status).toBe(429)
    expect(headers['retry-after']).toBe('10')
    expect(body).toEqual(error('HTTP_RATE_LIMITED'))
    expect((await game.post('/login', ann, '203.0.113.2')).status).toBe(200)
    await game.clock.advance(10_000)
    expect((await game.post('/login', ann)).status).toBe(200)
    expect(game.service.stats()).toMatchObject({ rateLimited: 1 })
  })

  it('takes the addresses of one home for one', async () => {
    await using game = setUp({ rateLimit: { burst: 1, perMinute: 1 } })
    expect((await game.post('/login', ann, '2001:db8::1')).status).toBe(401)
    expect((await game.post('/login', ann, '2001:db8::2')).status).toBe(429)
    expect((await game.post('/login', ann, '2001:db8:0:1::1')).status).toBe(401)
  })

  it('believes X-Forwarded-For from a trusted proxy only', async () => {
    for (const [trustProxy, expected] of [
      [undefined, 429],
      ['198.51.100.9', 429],
      [['127.0.0.0/8', '203.0.113.0/24'], 401],
    ] as const) {
      const options = trustProxy === undefined ? {} : { trustProxy }
      await using game = setUp({ rateLimit: { burst: 1, perMinute: 1 }, ...options })
      const statuses: number[] = []
      for (const player of ['192.0.2.1', '192.0.2.2']) {
        const answer = await game.service.app.inject({
          method: 'POST',
          url: '/login',
          payload: ann,
          remoteAddress: '203.0.113.1',
          headers: { 'x-forwarded-for': player },
        })
        statuses.push(answer.statusCode)
      }
      expect(statuses).toEqual([401, expected])
    }
  })

  it('can be turned off, and does not touch other routes', async () => {
    await using off = setUp({ rateLimit: false })
    for (let count = 0; count < 50; count += 1) {
      expect((await off.post('/login', ann)).status).toBe(401)
    }
    await using strict = setUp({ rateLimit: { burst: 1, perMinute: 1 } })
    for (let count = 0; count < 5; count += 1) {
      expect((await strict.service.app.inject('/health/live')).statusCode).toBe(200)
    }
  })
})
