import { AsyncLocalStorage } from 'node:async_hooks'
import type { CallContext } from './call-context.ts'
import type { Interceptor } from './interceptors.ts'

const storage = new AsyncLocalStorage<CallContext>()

/**
 * Keeps {@link callContext} over the awaits of handlers. Calls that a handler makes carry its trace on. It costs each
 * handler an entry into an `AsyncLocalStorage`.
 */
export function followCalls(): Interceptor {
  return {
    incoming: ({ context }, next) => storage.run(context, next),
    outgoing(call, next) {
      call.trace ??= storage.getStore()?.trace
      return next()
    },
  }
}

/**
 * The call behind what runs now, also after the awaits of its handler. `undefined` outside of one, and in a node
 * without {@link followCalls} among its interceptors.
 */
export const callContext = (): CallContext | undefined => storage.getStore()
