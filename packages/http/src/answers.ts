import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { ConnectionError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { tooSlow } from './deadline.ts'
import { HttpError, type HttpErrorCode } from './errors.ts'
import type { Logger } from './logger.ts'

/** What every failed request answers. */
export interface ErrorBody {
  readonly error: { readonly code: string; readonly message: string }
}

/** For errors of Fastify, its plugins and routes, which know a status only. */
const BY_STATUS: ReadonlyMap<number, HttpErrorCode> = new Map([
  [400, 'HTTP_BAD_REQUEST'],
  [401, 'HTTP_UNAUTHORIZED'],
  [403, 'HTTP_FORBIDDEN'],
  [404, 'HTTP_NOT_FOUND'],
  [408, 'HTTP_REQUEST_TIMEOUT'],
  [409, 'HTTP_CONFLICT'],
  [413, 'HTTP_TOO_LARGE'],
  [415, 'HTTP_UNSUPPORTED_MEDIA_TYPE'],
  [429, 'HTTP_RATE_LIMITED'],
  [503, 'HTTP_UNAVAILABLE'],
])

const INTERNAL: ErrorBody = {
  error: { code: 'HTTP_INTERNAL', message: 'something went wrong here; it has been logged' },
}

interface Answer {
  readonly status: number
  readonly body: ErrorBody
  readonly headers: Readonly<Record<string, string>>
}

/** Turns whatever was thrown into an answer. What was not meant for players does not reach them. */
function toAnswer(error: unknown): Answer {
  if (error instanceof HttpError) {
    const { statusCode: status, code, message } = error
    return { status, body: { error: { code, message } }, headers: headersOf(error) }
  }
  const { statusCode, code, message } = fieldsOf(error)
  if (statusCode === 503) {
    const text = 'the service cannot answer at the moment; try again'
    return {
      status: 503,
      body: { error: { code: 'HTTP_UNAVAILABLE', message: text } },
      headers: {},
    }
  }
  if (statusCode === undefined || statusCode < 400 || statusCode >= 500) {
    return { status: 500, body: INTERNAL, headers: {} }
  }
  // A code of the caller's own routes stays; those of the libraries beneath may change.
  const isOwn = code !== undefined && !/^(FST_|FAST_JWT_|ERR_)/.test(code)
  const known = BY_STATUS.get(statusCode) ?? 'HTTP_BAD_REQUEST'
  return {
    status: statusCode,
    body: { error: { code: isOwn ? code : known, message } },
    headers: {},
  }
}

function headersOf({ code, retryAfterSeconds }: HttpError): Record<string, string> {
  const headers: Record<string, string> = {}
  if (retryAfterSeconds !== undefined) headers['retry-after'] = String(retryAfterSeconds)
  if (code.startsWith('HTTP_TICKET_')) {
    headers['www-authenticate'] =
      code === 'HTTP_TICKET_MISSING' ? 'Bearer' : 'Bearer error="invalid_token"'
  }
  return headers
}

function fieldsOf(error: unknown): { statusCode?: number; code?: string; message: string } {
  if (!(error instanceof Error)) return { message: '' }
  const { message } = error
  const statusCode = 'statusCode' in error ? error.statusCode : undefined
  const code = 'code' in error ? error.code : undefined
  return {
    message,
    ...(typeof statusCode === 'number' ? { statusCode } : {}),
    ...(typeof code === 'string' ? { code } : {}),
  }
}

/** Makes every failure of the application answer in the same shape. */
export function answerErrors(app: FastifyInstance, logger: Logger, failed: () => void): void {
  app.setErrorHandler((error, request, reply) => {
    const { status, body, headers } = toAnswer(error)
    if (status === 500) {
      failed()
      // The route and not the URL, which may hold what belongs in no log.
      logger.warn('a request failed', {
        method: request.method,
        route: request.routeOptions.url,
        error,
      })
    }
    return reply.code(status).headers(headers).send(body)
  })
  app.setNotFoundHandler((_request, reply) => {
    const error = new HttpError('HTTP_NOT_FOUND', 'there is no such route')
    return reply.code(error.statusCode).send(toAnswer(error).body)
  })
}

/** Answers what the router cannot even read, such as a broken percent escape. */
export function answerFrameworkError(
  _error: Error,
  _request: FastifyRequest,
  reply: FastifyReply,
): void {
  const error = new HttpError('HTTP_BAD_REQUEST', 'the URL is malformed')
  void reply.code(error.statusCode).send(toAnswer(error).body)
}

/** Answers bytes that are not HTTP, too many headers, or a request that takes too long to arrive. */
export function answerClientError(cause: ConnectionError, socket: Socket): void {
  if (cause.code === 'ECONNRESET' || socket.destroyed) return
  const [status, code, message] = CLIENT_ERRORS.get(cause.code) ?? NOT_HTTP
  const body = JSON.stringify({ error: { code, message } } satisfies ErrorBody)
  if (socket.writable) {
    socket.end(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
  } else {
    socket.destroy()
  }
}

type ClientError = readonly [status: number, code: HttpErrorCode, message: string]
const NOT_HTTP: ClientError = [400, 'HTTP_BAD_REQUEST', 'this is not an HTTP request']
const CLIENT_ERRORS: ReadonlyMap<string, ClientError> = new Map([
  ['ERR_HTTP_REQUEST_TIMEOUT', [408, 'HTTP_REQUEST_TIMEOUT', tooSlow().message] as const],
  ['HPE_HEADER_OVERFLOW', [431, 'HTTP_TOO_LARGE', 'the headers are too large'] as const],
])
