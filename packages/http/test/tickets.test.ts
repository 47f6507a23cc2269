import fastifyJwt from '@fastify/jwt'
import { SteppedClock, seededRandom } from '@rts/testing'
import fc from 'fast-check'
import { fastify } from 'fastify'
import { describe, expect, it } from 'vitest'
import { HttpError, tickets, type TicketsOptions } from '../src/index.ts'
import { BAD_TICKETS, forge, HEADER, NEW, NOW, OLD, PAYLOAD, WALL_MS } from './forged-tickets.ts'

function setUp(options: TicketsOptions = { secret: OLD }) {
  const clock = new SteppedClock({ wallMs: WALL_MS })
  return { clock, desk: tickets({ clock, random: seededRandom(1), ...options }) }
}

const codeOf = (work: () => unknown): string => {
  try {
    work()
    return 'no error'
  } catch (error) {
    if (error instanceof HttpError) return error.code
    throw error
  }
}

describe('a ticket', () => {
  it('says whose it is, when it ends, and what was added', () => {
    const { desk } = setUp()
    expect(desk.verify(desk.sign('ann', { name: 'Ann', level: 3 }))).toEqual({
      account: 'ann',
      id: expect.stringMatching(/^[\w-]{12}$/),
      issuedAt: NOW,
      expiresAt: NOW + 300,
      claims: { name: 'Ann', level: 3 },
    })
  })

  it('is another one each time', () => {
    const { desk } = setUp()
    expect(desk.sign('ann')).not.toBe(desk.sign('ann'))
  })

  it('expires with its last second, by the injected clock', async () => {
    const { clock, desk } = setUp({ secret: OLD, ttlSeconds: 10 })
    const ticket = desk.sign('ann')
    await clock.advance(9_999)
    expect(desk.verify(ticket).account).toBe('ann')
    await clock.advance(1)
    expect(codeOf(() => desk.verify(ticket))).toBe('HTTP_TICKET_EXPIRED')
  })

  it('made by any program that knows the secret is as good', () => {
    const { desk } = setUp()
    expect(desk.verify(forge(HEADER, { ...PAYLOAD, name: 'Ann' }))).toMatchObject({
      account: 'ann',
      claims: { name: 'Ann' },
    })
  })

  it('is a JSON Web Token that other libraries read', () => {
    const [header = '', payload = ''] = setUp().desk.sign('ann').split('.')
    const parse = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString())
    expect(parse(header)).toMatchObject({ alg: 'HS256', typ: 'JWT' })
    expect(parse(payload)).toMatchObject({ iss: 'rts', sub: 'ann', iat: NOW, exp: NOW + 300 })
  })

  it('may carry no reserved claim and no novel', () => {
    const { desk } = setUp()
    expect(() => desk.sign('ann', { sub: 'bob' })).toThrow('the claim name sub is reserved')
    expect(() => desk.sign('ann', { story: 'x'.repeat(4_000) })).toThrow(/is over 4096/)
    expect(() => desk.sign('')).toThrow('account must not be empty')
  })
})

describe('several secrets', () => {
  it('all verify, and the first signs', () => {
    const before = setUp({ secret: OLD }).desk
    const during = setUp({ secrets: [NEW, OLD] }).desk
    const after = setUp({ secret: NEW }).desk
    expect(during.verify(before.sign('ann')).account).toBe('ann')
    expect(after.verify(during.sign('ann')).account).toBe('ann')
    expect(codeOf(() => after.verify(before.sign('ann')))).toBe('HTTP_TICKET_INVALID')
    expect(codeOf(() => before.verify(during.sign('ann')))).toBe('HTTP_TICKET_INVALID')
  })

  it('may be bytes, and must be long enough', () => {
    const bytes = new TextEncoder().encode(OLD)
    expect(tickets({ secret: bytes }).verify(tickets(OLD).sign('ann')).account).toBe('ann')
    expect(() => tickets('too short')).toThrow(
      new RangeError('a ticket secret must have at least 32 bytes, not 9'),
    )
    expect(() => tickets({})).toThrow(TypeError)
    expect(() => tickets({ secrets: [] })).toThrow(TypeError)
    expect(() => tickets({ secret: OLD, secrets: [NEW] })).toThrow(TypeError)
    expect(() => tickets({ secret: OLD, ttlSeconds: 0 })).toThrow(/ttlSeconds .* not 0/)
  })
})

describe('what is no ticket', () => {
  it.each(BAD_TICKETS)('is refused: %s', (_what, ticket) => {
    expect(codeOf(() => setUp().desk.verify(ticket))).toBe('HTTP_TICKET_INVALID')
  })

  it('is refused before it is looked at when it is huge, or no text at all', () => {
    const { desk } = setUp()
    expect(codeOf(() => desk.verify('x'.repeat(5_000)))).toBe('HTTP_TICKET_INVALID')
    expect(codeOf(() => desk.verify(undefined as unknown as string))).toBe('HTTP_TICKET_INVALID')
  })

  it('is refused with a code whatever it is', () => {
    const { desk } = setUp()
    const real = desk.sign('ann', { name: 'Ann' })
    const changed = fc
      .tuple(fc.nat(real.length - 1), fc.string({ maxLength: 3 }), fc.nat(5))
      .map(([at, text, cut]) => real.slice(0, at) + text + real.slice(at + cut))
      .filter((text) => text !== real)
    const made = fc
      .tuple(fc.json(), fc.json(), fc.string())
      .map((parts) => parts.map((part) => Buffer.from(part).toString('base64url')).join('.'))
    fc.assert(
      fc.property(fc.oneof(fc.string(), changed, made), (text) => {
        // The last character holds spare bits: changing those alone leaves the same signature.
        const code = codeOf(() => desk.verify(text))
        if (code === 'no error') expect(text.slice(0, -1)).toBe(real.slice(0, -1))
        else expect(code).toBe('HTTP_TICKET_INVALID')
      }),
      { numRuns: 2_000, seed: 41 },
    )
  })
})

describe('an application of its own with @fastify/jwt', () => {
  async function ask(ticket: string, options?: TicketsOptions, laterMs = 0) {
    const { clock, desk } = setUp(options)
    await using app = fastify()
    app.register(fastifyJwt, desk.fastifyJwt())
    app.addHook('preHandler', (request) => request.jwtVerify())
    app.get('/', (request, reply) => reply.send(request.ticket))
    await clock.advance(laterMs)
    return await app.inject({ url: '/', headers: { authorization: `Bearer ${ticket}` } })
  }

  it('accepts the same tickets', async () => {
    const old = setUp().desk.sign('ann', { name: 'Ann' })
    const answer = await ask(old, { secrets: [NEW, OLD] })
    expect(answer.json()).toMatchObject({ account: 'ann', claims: { name: 'Ann' } })
  })

  it.each(BAD_TICKETS)('and refuses the same: %s', async (_what, ticket) => {
    expect((await ask(ticket)).statusCode).toBeGreaterThanOrEqual(400)
  })

  it('and knows by the same clock when one has expired', async () => {
    const ticket = setUp().desk.sign('ann')
    expect((await ask(ticket, { secret: OLD }, 299_999)).statusCode).toBe(200)
    const late = await ask(ticket, { secret: OLD }, 300_000)
    expect(late.json()).toMatchObject({ statusCode: 401, code: 'HTTP_TICKET_EXPIRED' })
  })
})
