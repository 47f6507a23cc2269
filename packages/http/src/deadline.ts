import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from './clock.ts'
import { HttpError } from './errors.ts'

/**
 * Answers every request in time, whatever its handler does. Fastify's own `handlerTimeout` (5.12) ends
 * with the arrival of the body, so it never fires for a POST.
 */
export function answerInTime(app: FastifyInstance, clock: Clock, timeoutMs: number): void {
  app.addHook('onRequest', (request, reply, done) => {
    const cancel = clock.setTimer(timeoutMs, () => {
      if (!reply.sent) void reply.send(isArriving(request) ? tooSlow() : outOfTime())
    })
    reply.raw.once('finish', cancel).once('close', cancel)
    done()
  })
  // A body that was not waited for would be taken for the next request.
  app.addHook('onSend', async (request: FastifyRequest, reply: FastifyReply) => {
    if (reply.statusCode === 408 && isArriving(request)) void reply.header('connection', 'close')
  })
}

const isArriving = ({ raw, headers }: FastifyRequest): boolean =>
  // Injected requests do not say.
  raw.complete === false && ('content-length' in headers || 'transfer-encoding' in headers)

export const tooSlow = (): HttpError =>
  new HttpError('HTTP_REQUEST_TIMEOUT', 'the request took too long to arrive')

const outOfTime = (): HttpError =>
  new HttpError('HTTP_UNAVAILABLE', 'the service could not answer in time; try again')
