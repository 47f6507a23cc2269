import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { SteppedClock, seededRandom } from '@rts/testing'
import { describe, expect, it } from 'vitest'
import {
  createHttpService,
  HttpError,
  MemoryAccountStore,
  tickets,
  type HttpServiceOptions,
} from '../src/index.ts'
import { systemClock } from '../src/clock.ts'
import { BAD_TICKETS, OLD, WALL_MS } from './forged-tickets.ts'

function setUp(options: Partial<HttpServiceOptions> = {}) {
  const clock = new SteppedClock({ wallMs: WALL_MS })
  const desk = tickets({ secret: OLD, clock })
  const logged: unknown[] = []
  const logger = {
    debug() {},
    warn: (message: string, fields?: object) => void logged.push(message, fields),
  }
  const service = createHttpService({
    tickets: desk,
    accounts: new MemoryAccountStore(),
    gates: ['tcp://127.0.0.1:7000'],
    scrypt: { cost: 16, blockSize: 1, parallelization: 1 },
    logger,
    clock,
    random: seededRandom(1),
    ...options,
  })
  return { clock, desk, service, logged }
}

const json = { 'content-type': 'application/json' }

/** Writes bytes as they are, and gives all that comes back until the end. */
async function raw(url: string, bytes: string): Promise<string> {
  const socket = await open(url)
  socket.write(bytes)
  return await allOf(socket)
}

async function open(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  await once(socket, 'connect')
  return socket
}

async function allOf(socket: Socket): Promise<string> {
  let text = ''
  for await (const chunk of socket.setEncoding('utf8')) text += String(chunk)
  return text
}

const bodyOf = (response: string): unknown => JSON.parse(response.split('\r\n\r\n')[1] ?? '')

describe('a service', () => {
  it('registers, logs in and lets the ticket in, over a real socket', async () => {
    const { service, desk } = setUp()
    await using _closing = service
    service.app.get('/me', { preHandler: service.requireTicket }, (request, reply) =>
      reply.send({ account: request.account, name: request.ticket?.claims['name'] }),
    )
    const url = await service.listen()
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect(service.url).toBe(url)
    const body = JSON.stringify({ name: 'Ann', password: 'correct horse' })
    const registered = await fetch(`${url}/register`, { method: 'POST', headers: json, body })
    expect(registered.status).toBe(201)
    const loggedIn = await fetch(`${url}/login`, { method: 'POST', headers: json, body })
    expect(loggedIn.status).toBe(200)
    const answer = await loggedIn.json()
    expect(answer).toEqual({
      ticket: expect.any(String),
      account: ((await registered.json()) as { account: string }).account,
      name: 'Ann',
      gates: ['tcp://127.0.0.1:7000'],
    })
    const { ticket, account } = answer as { ticket: string; account: string }
    expect(desk.verify(ticket)).toMatchObject({ account, claims: { name: 'Ann' } })
    const me = await fetch(`${url}/me`, { headers: { authorization: `Bearer ${ticket}` } })
    expect(await me.json()).toEqual({ account, name: 'Ann' })
    expect(service.stats()).toMatchObject({ requests: 3, registered: 1, loggedIn: 1, failed: 0 })
  })

  it('needs no accounts to be one that only checks tickets', async () => {
    const { accounts: _none, ...options } = { ...setUpOptions(), accounts: undefined }
    await using service = createHttpService(options)
    expect((await service.app.inject({ method: 'POST', url: '/login' })).statusCode).toBe(404)
    expect((await service.app.inject('/health/live')).json()).toEqual({ status: 'live' })
  })

  it('names an option it cannot work with', () => {
    expect(() => setUp({ maxBodyBytes: 0 })).toThrow(/maxBodyBytes .* not 0/)
    expect(() => setUp({ nameLength: [5, 4] })).toThrow(/nameLength\[1\] .* not 4/)
    expect(() => setUp({ rateLimit: { burst: 0, perMinute: 1 } })).toThrow(/burst .* not 0/)
  })
})

const setUpOptions = () => ({ tickets: tickets(OLD) })

describe('requireTicket', () => {
  async function ask(authorization: string | undefined, laterMs = 0) {
    const { service, clock } = setUp()
    await using _closing = service
    service.app.get('/me', { preHandler: service.requireTicket }, (request, reply) =>
      reply.send({ account: request.account }),
    )
    await clock.advance(laterMs)
    const headers = authorization === undefined ? {} : { authorization }
    return await service.app.inject({ url: '/me', headers })
  }

  it('asks for a ticket', async () => {
    const answer = await ask(undefined)
    expect(answer.statusCode).toBe(401)
    expect(answer.headers['www-authenticate']).toBe('Bearer')
    expect(answer.json()).toMatchObject({ error: { code: 'HTTP_TICKET_MISSING' } })
  })

  it('tells an expired ticket from an invalid one', async () => {
    const ticket = setUp().desk.sign('ann')
    expect((await ask(`Bearer ${ticket}`, 299_999)).json()).toEqual({ account: 'ann' })
    const late = await ask(`Bearer ${ticket}`, 300_000)
    expect(late.statusCode).toBe(401)
    expect(late.headers['www-authenticate']).toBe('Bearer error="invalid_token"')
    expect(late.json()).toMatchObject({ error: { code: 'HTTP_TICKET_EXPIRED' } })
  })

  it.each([...BAD_TICKETS, ['two words', 'a b'] as const])('refuses %s', async (_what, ticket) => {
    const answer = await ask(`Bearer ${ticket}`)
    expect(answer.statusCode).toBe(401)
    expect(answer.json()).toEqual({
      error: { code: 'HTTP_TICKET_INVALID', message: expect.any(String) },
    })
  })

  it.each(['Basic YW5uOnB3', 'Bearer', 'nonsense'])('refuses the header %s', async (header) => {
    expect((await ask(header)).json()).toMatchObject({ error: { code: 'HTTP_TICKET_INVALID' } })
  })

  it('is what request.account needs', async () => {
    const { service, logged } = setUp()
    await using _closing = service
    service.app.get('/open', (request, reply) => reply.send(request.account))
    expect((await service.app.inject('/open')).statusCode).toBe(500)
    expect(logged[1]).toMatchObject({
      error: { message: 'request.account is only there in routes with requireTicket' },
    })
  })
})

describe('every failure', () => {
  it('has one shape: no such route', async () => {
    const { service } = setUp()
    await using _closing = service
    for (const url of ['/nope', '/login']) {
      const answer = await service.app.inject(url)
      expect(answer.statusCode).toBe(404)
      expect(answer.json()).toEqual({
        error: { code: 'HTTP_NOT_FOUND', message: 'there is no such route' },
      })
    }
  })

  it.each([
    ['no JSON', { payload: '{"name":' }, 400, 'HTTP_BAD_REQUEST'],
    ['empty JSON', { payload: '' }, 400, 'HTTP_BAD_REQUEST'],
    ['another form', { payload: 'name=ann', type: 'text/xml' }, 415, 'HTTP_UNSUPPORTED_MEDIA_TYPE'],
    ['text', { payload: 'ann', type: 'text/plain' }, 400, 'HTTP_BAD_REQUEST'],
    ['no password', { payload: '{"name":"ann"}' }, 400, 'HTTP_BAD_REQUEST'],
    ['an object as name', { payload: '{"name":{},"password":"x"}' }, 400, 'HTTP_BAD_REQUEST'],
    ['a poisoned object', { payload: '{"__proto__":{"a":1}}' }, 400, 'HTTP_BAD_REQUEST'],
    ['too much', { payload: JSON.stringify('x'.repeat(20_000)) }, 413, 'HTTP_TOO_LARGE'],
  ])('has one shape: %s', async (_what, { payload, type }: Sent, status, code) => {
    const { service } = setUp()
    await using _closing = service
    const answer = await service.app.inject({
      method: 'POST',
      url: '/login',
      headers: { 'content-type': type ?? 'application/json' },
      payload,
    })
    expect(answer.statusCode).toBe(status)
    expect(answer.json()).toEqual({ error: { code, message: expect.any(String) } })
  })

  interface Sent {
    readonly payload: string
    readonly type?: string
  }

  it.each([
    ['an error', new Error('the password is 1234'), 500, 'HTTP_INTERNAL'],
    ['no error at all', 'the password is 1234', 500, 'HTTP_INTERNAL'],
    ['an error of a library', coded('ECONNREFUSED'), 500, 'HTTP_INTERNAL'],
    ['a 502', coded('UPSTREAM', 502), 500, 'HTTP_INTERNAL'],
    ['a strange status', coded('STRANGE', 200), 500, 'HTTP_INTERNAL'],
    ['a 503', coded('DATABASE_1234', 503), 503, 'HTTP_UNAVAILABLE'],
  ])('keeps to itself what was not meant for players: %s', async (_what, thrown, status, code) => {
    const { service, logged } = setUp()
    await using _closing = service
    service.app.get('/fail', () => Promise.reject(thrown))
    const answer = await service.app.inject('/fail?token=secret')
    expect(answer.statusCode).toBe(status)
    expect(answer.json()).toEqual({ error: { code, message: expect.any(String) } })
    expect(answer.body).not.toMatch(/1234|at .*:\d+/)
    if (status === 500) {
      expect(logged).toEqual(['a request failed', { method: 'GET', route: '/fail', error: thrown }])
      expect(service.stats().failed).toBe(1)
    }
  })

  it.each([
    ['an HttpError', new HttpError('HTTP_FORBIDDEN', 'not your bag'), 403, 'HTTP_FORBIDDEN'],
    ['a coded 4xx error', coded('GAME_FULL', 409), 409, 'GAME_FULL'],
    [
      'a 4xx error without a code',
      Object.assign(new Error('x'), { statusCode: 409 }),
      409,
      'HTTP_CONFLICT',
    ],
    ['a rare 4xx', Object.assign(new Error('x'), { statusCode: 418 }), 418, 'HTTP_BAD_REQUEST'],
  ])('says what a route of yours meant to say: %s', async (_what, thrown, status, code) => {
    const { service } = setUp()
    await using _closing = service
    service.app.get('/fail', () => Promise.reject(thrown))
    const answer = await service.app.inject('/fail')
    expect(answer.statusCode).toBe(status)
    expect(answer.json()).toEqual({ error: { code, message: thrown.message } })
  })

  it('has one shape: bytes that are not HTTP, a broken URL, headers without end', async () => {
    const { service } = setUp()
    await using _closing = service
    const url = await service.listen()
    const garbage = await raw(url, '\x16\x03\x01 hello, is this TLS?\r\n\r\n')
    expect(garbage).toMatch(/^HTTP\/1\.1 400 /)
    expect(bodyOf(garbage)).toMatchObject({ error: { code: 'HTTP_BAD_REQUEST' } })
    const broken = await raw(url, 'GET /%E0%A4%A HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    expect(broken).toMatch(/^HTTP\/1\.1 400 /)
    expect(bodyOf(broken)).toMatchObject({ error: { code: 'HTTP_BAD_REQUEST' } })
    const long = await raw(url, `GET / HTTP/1.1\r\nHost: x\r\nA: ${'x'.repeat(20_000)}\r\n\r\n`)
    expect(long).toMatch(/^HTTP\/1\.1 431 /)
    expect(bodyOf(long)).toMatchObject({ error: { code: 'HTTP_TOO_LARGE' } })
    expect((await fetch(`${url}/health/live`)).status).toBe(200)
  })

  it.each([
    ['headers', 'POST /login HT'],
    [
      'body',
      'POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{',
    ],
  ])('has one shape: a request whose %s take too long to arrive', async (_what, bytes) => {
    const { service } = setUp({ requestTimeoutMs: 100, clock: systemClock })
    await using _closing = service
    const answer = await raw(await service.listen(), bytes)
    expect(answer).toMatch(/^HTTP\/1\.1 408 /)
    expect(bodyOf(answer)).toMatchObject({ error: { code: 'HTTP_REQUEST_TIMEOUT' } })
  })

  it('has one shape: an answer that takes too long, with or without a body to read', async () => {
    const { service, clock } = setUp({ requestTimeoutMs: 1_000 })
    await using _closing = service
    const handlers: ((answer: string) => void)[] = []
    const handler = () => new Promise((resolve) => handlers.push(resolve))
    service.app.route({ method: ['GET', 'POST'], url: '/slow', handler })
    const url = await service.listen()
    for (const init of [{}, { method: 'POST', body: 'all of it' }]) {
      const asking = fetch(`${url}/slow`, init)
      await expect.poll(() => handlers.length).toBe(1)
      await clock.advance(1_000)
      const answer = await asking
      expect(answer.status).toBe(503)
      expect(await answer.json()).toMatchObject({ error: { code: 'HTTP_UNAVAILABLE' } })
      // Too late, and no harm.
      handlers.pop()?.('done')
    }
    expect((await fetch(`${url}/health/live`)).status).toBe(200)
    expect(clock.pending).toBe(0)
  })
})

function coded(code: string, statusCode?: number): Error {
  const fields = statusCode === undefined ? { code } : { code, statusCode }
  return Object.assign(new Error('the password is 1234'), fields)
}

describe('health', () => {
  it('is live and ready when all checks hold', async () => {
    const { service } = setUp({ checks: { store: () => true, registry: async () => {} } })
    await using _closing = service
    expect((await service.app.inject('/health/live')).json()).toEqual({ status: 'live' })
    const ready = await service.app.inject('/health/ready')
    expect(ready.statusCode).toBe(200)
    expect(ready.json()).toEqual({
      status: 'ready',
      checks: { store: { ok: true }, registry: { ok: true } },
    })
  })

  it('is live but not ready when one does not', async () => {
    const { service } = setUp({ checks: { store: () => false } })
    await using _closing = service
    expect((await service.app.inject('/health/live')).statusCode).toBe(200)
    const ready = await service.app.inject('/health/ready')
    expect(ready.statusCode).toBe(503)
    expect(ready.json()).toEqual({
      error: { code: 'HTTP_NOT_READY', message: 'something this node needs is not there' },
      checks: { store: { ok: false, reason: 'failed' } },
    })
  })
})

describe('listening', () => {
  it('fails with a code when the port is in use, and works on another', async () => {
    await using other = createServer()
    other.listen(0, '127.0.0.1')
    await once(other, 'listening')
    const address = other.address()
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0
    const { service } = setUp()
    await using _closing = service
    await expect(service.listen({ port })).rejects.toMatchObject({
      code: 'HTTP_LISTEN_FAILED',
      message: expect.stringMatching(
        new RegExp(`^cannot listen on 127.0.0.1:${port}: .*EADDRINUSE`),
      ),
      cause: { code: 'EADDRINUSE' },
    })
    expect(service.url).toBeUndefined()
    const url = await service.listen()
    expect((await fetch(`${url}/health/live`)).status).toBe(200)
  })

  it('fails with a code the second time, and after closing', async () => {
    const { service } = setUp()
    await service.listen()
    await expect(service.listen()).rejects.toMatchObject({ code: 'HTTP_LISTEN_FAILED' })
    await service.close()
    await expect(service.listen()).rejects.toMatchObject({ code: 'HTTP_LISTEN_FAILED' })
  })

  it.each(['0.0.0.0', 'localhost', '::1', '::'])('gives a URL that works for %s', async (host) => {
    const { service } = setUp()
    await using _closing = service
    const url = await service.listen({ host })
    expect((await fetch(`${url}/health/live`)).status).toBe(200)
  })
})

describe('closing', () => {
  it('lets a request finish, and closes its connection after it', async () => {
    const { service, clock } = setUp()
    const gate = Promise.withResolvers<string>()
    const arrived = Promise.withResolvers<void>()
    service.app.get('/slow', () => {
      arrived.resolve()
      return gate.promise
    })
    const url = await service.listen()
    const socket = await open(url)
    socket.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n')
    await arrived.promise
    const closing = service.close()
    expect(service.close()).toBe(closing)
    await expect.poll(() => fetch(url).catch((error: Error) => error.message)).toBe('fetch failed')
    gate.resolve('done')
    expect(await allOf(socket)).toMatch(/^HTTP\/1\.1 200 OK\r\n.*connection: close.*\r\n\r\ndone/s)
    await closing
    // Its timer was not needed.
    expect(clock).toMatchObject({ pending: 0, nextAt: undefined })
  })

  it('answers requests that come meanwhile with a code, and is not ready', async () => {
    const { service } = setUp()
    const gate = Promise.withResolvers<void>()
    service.app.addHook('preClose', () => gate.promise)
    await service.app.ready()
    const closing = service.close()
    await expect.poll(async () => (await service.app.inject('/health/ready')).statusCode).toBe(503)
    gate.resolve()
    await closing
  })

  it('does not wait for idle connections, nor for ones that never said anything', async () => {
    const { service, clock } = setUp({ closeTimeoutMs: 1_000 })
    const url = await service.listen()
    const silent = await open(url)
    await (await fetch(`${url}/health/live`)).text()
    const closing = service.close()
    const ended = allOf(silent)
    await clock.advance(1_000)
    await closing
    expect(await ended).toBe('')
  })

  it('cuts what takes longer than it may', async () => {
    const clock = new SteppedClock()
    const { service } = setUp({ closeTimeoutMs: 1_000, clock })
    const arrived = Promise.withResolvers<void>()
    service.app.get('/slow', () => {
      arrived.resolve()
      return new Promise(() => {})
    })
    const url = await service.listen()
    const asking = Promise.allSettled([fetch(`${url}/slow`)])
    await arrived.promise
    const closing = service.close()
    await clock.advance(1_000)
    await closing
    expect(await asking).toMatchObject([{ reason: { message: 'fetch failed' } }])
  })

  it('needs no listening before', async () => {
    const { service } = setUp()
    await service.close()
    await service.close()
  })
})

describe('other origins', () => {
  const headers = { origin: 'https://game.example' }

  it('are not allowed unless asked for', async () => {
    const { service } = setUp()
    await using _closing = service
    const answer = await service.app.inject({ url: '/health/live', headers })
    expect(answer.headers['access-control-allow-origin']).toBeUndefined()
  })

  it('may call and preflight when allowed, and can read errors', async () => {
    const { service } = setUp({ cors: { origin: ['https://game.example'] } })
    await using _closing = service
    const preflight = await service.app.inject({
      method: 'OPTIONS',
      url: '/login',
      headers: { ...headers, 'access-control-request-method': 'POST' },
    })
    expect(preflight.statusCode).toBe(204)
    const answer = await service.app.inject({ method: 'POST', url: '/login', headers })
    expect(answer.statusCode).toBe(400)
    expect(answer.headers['access-control-allow-origin']).toBe('https://game.example')
  })

  it('may all call with true', async () => {
    const { service } = setUp({ cors: true })
    await using _closing = service
    const answer = await service.app.inject({ url: '/health/live', headers })
    expect(answer.headers['access-control-allow-origin']).toBe('*')
  })
})
