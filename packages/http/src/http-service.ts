import fastifyCors from '@fastify/cors'
import fastifyJwt from '@fastify/jwt'
import { fastify, type FastifyInstance, type FastifyRequest } from 'fastify'
import { answerClientError, answerErrors, answerFrameworkError } from './answers.ts'
import { answerInTime } from './deadline.ts'
import { HttpError } from './errors.ts'
import { Health } from './health.ts'
import { addLoginRoutes, type LoginCounts } from './login-routes.ts'
import { checkOptions, type HttpServiceOptions, type Settings } from './options.ts'
import { asTicketError, type Ticket } from './tickets.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The account of the ticket; only in routes with `requireTicket`, else it throws. */
    readonly account: string
    /** What the ticket says; null in routes without `requireTicket`. */
    ticket: Ticket | null
  }
}

export interface ListenOptions {
  /** @defaultValue '127.0.0.1' */
  readonly host?: string
  /** 0: any free port. @defaultValue 0 */
  readonly port?: number
}

export interface HttpServiceStats extends Readonly<LoginCounts> {
  readonly requests: number
  /** Requests answered with status 500. */
  readonly failed: number
}

/** Makes a service; nothing is opened before `listen`. @throws RangeError for a bad option. */
export function createHttpService(options: HttpServiceOptions): HttpService {
  return new HttpService(checkOptions(options))
}

/** A Fastify application with health, accounts and tickets. Add your routes to `app`. */
export class HttpService implements AsyncDisposable {
  readonly app: FastifyInstance
  readonly #settings: Settings
  readonly #counts = {
    requests: 0,
    failed: 0,
    registered: 0,
    guests: 0,
    loggedIn: 0,
    refused: 0,
    rateLimited: 0,
  }
  #url: string | undefined
  #isClosing = false
  #closing: Promise<void> | undefined

  constructor(settings: Settings) {
    this.#settings = settings
    this.app = makeApp(settings)
    this.#addHooks()
    answerInTime(this.app, settings.clock, settings.requestTimeoutMs)
    answerErrors(this.app, settings.logger, () => (this.#counts.failed += 1))
    this.#addHealthRoutes()
    if (settings.accounts !== undefined) {
      addLoginRoutes(this.app, settings.accounts, settings, this.#counts)
    }
  }

  /** Where it listens; undefined before `listen`. */
  get url(): string | undefined {
    return this.#url
  }

  /** A `preHandler` for routes that need a ticket: then `request.account` and `request.ticket` are set. */
  readonly requireTicket = async (request: FastifyRequest): Promise<void> => {
    if (request.headers.authorization === undefined) {
      throw new HttpError(
        'HTTP_TICKET_MISSING',
        'send the ticket as: Authorization: Bearer <ticket>',
      )
    }
    try {
      await request.jwtVerify()
    } catch (cause) {
      throw asTicketError(cause)
    }
  }

  /**
   * @returns The URL, with the port it really got.
   * @throws HttpError `HTTP_LISTEN_FAILED`, for instance because the port is in use.
   */
  async listen({ host = '127.0.0.1', port = 0 }: ListenOptions = {}): Promise<string> {
    try {
      const url = await this.app.listen({ host, port })
      // An address that means all interfaces is none to connect to.
      this.#url = url.replace('//[::]:', '//[::1]:')
      return this.#url
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new HttpError('HTTP_LISTEN_FAILED', `cannot listen on ${host}:${port}: ${why}`, {
        cause,
      })
    }
  }

  /**
   * Takes no more requests, lets those under way finish, and after `closeTimeoutMs` cuts what is left.
   * Safe to call twice.
   */
  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  stats(): HttpServiceStats {
    return { ...this.#counts }
  }

  async #close(): Promise<void> {
    this.#isClosing = true
    const { clock, closeTimeoutMs } = this.#settings
    const cancel = clock.setTimer(closeTimeoutMs, () => this.app.server.closeAllConnections())
    try {
      await this.app.close()
    } finally {
      cancel()
    }
  }

  #addHooks(): void {
    this.app.addHook('onRequest', async () => {
      this.#counts.requests += 1
      if (this.#isClosing) {
        throw new HttpError('HTTP_UNAVAILABLE', 'this node is shutting down; use another')
      }
    })
    this.app.addHook('onSend', async (_request, reply) => {
      // Else a connection that was busy would stay open as an idle one, and closing wait for it.
      if (this.#isClosing) void reply.header('connection', 'close')
    })
    this.app.addHook('preClose', async () => {
      this.#isClosing = true
    })
    this.app.decorateRequest('account', {
      getter(this: FastifyRequest): string {
        if (this.ticket !== null) return this.ticket.account
        throw new TypeError('request.account is only there in routes with requireTicket')
      },
    })
  }

  #addHealthRoutes(): void {
    const { checks, checkTimeoutMs, clock } = this.#settings
    const health = new Health(checks, { timeoutMs: checkTimeoutMs, clock })
    this.app.get('/health/live', async () => ({ status: 'live' }))
    this.app.get('/health/ready', async (_request, reply) => {
      const { ok, checks: results } = await health.report()
      if (ok) return { status: 'ready', checks: results }
      const error = { code: 'HTTP_NOT_READY', message: 'something this node needs is not there' }
      return reply.code(503).send({ error, checks: results })
    })
  }
}

function makeApp(settings: Settings): FastifyInstance {
  const { requestTimeoutMs, maxBodyBytes, trustProxy, cors, tickets } = settings
  const app = fastify({
    bodyLimit: maxBodyBytes,
    requestTimeout: requestTimeoutMs,
    // How often Node looks for requests that take too long to arrive.
    http: { connectionsCheckingInterval: Math.max(50, Math.ceil(requestTimeoutMs / 4)) },
    trustProxy: trustProxy === undefined ? false : [trustProxy].flat(),
    // It would answer in another shape; a hook does it here.
    return503OnClosing: false,
    frameworkErrors: answerFrameworkError,
    clientErrorHandler: answerClientError,
  })
  app.register(fastifyJwt, tickets.fastifyJwt())
  if (cors !== false) app.register(fastifyCors, cors === true ? {} : cors)
  return app
}
