import { enterCall } from './call-context.ts'
import { callStorage } from './call-storage.ts'
import type { ExposedMethod } from './exposure.ts'
import type { IncomingCall } from './incoming-call.ts'
import type { AroundHandler } from './peer-host.ts'

interface Handled {
  readonly holder: Record<string, unknown>
  readonly method: ExposedMethod
}
type Handler = (...args: unknown[]) => unknown

/** A function that is not `async` and has answered at once so often in a row is taken to do so again. */
export const SYNC_RUNS = 64
const NEVER = -Infinity

/**
 * Runs the handler of a call: its promise, or its result when it was done at once. Code that follows a handler over its
 * `await`s costs as much as the rest of a call, so it is left out for those that have none.
 */
export function runHandler(
  call: IncomingCall,
  { holder, method }: Handled,
  args: readonly unknown[],
  around: AroundHandler | undefined,
): unknown {
  const plain = holder[method.name] as Handler
  const handler = around === undefined ? plain : around(call, plain)
  const before = enterCall(call)
  try {
    if (callStorage === undefined) return handler.apply(holder, args as unknown[])
    const frame = call.isInChain ? call : undefined
    const outer = callStorage.getStore()
    // A link that was dialled by a handler still brings that handler's context along.
    if (outer === frame) return handler.apply(holder, args as unknown[])
    if (frame === undefined || method.syncRuns < SYNC_RUNS) {
      return callStorage.run(frame, () => handler.apply(holder, args as unknown[]))
    }
    call.isUnfollowed = true
    try {
      return handler.apply(holder, args as unknown[])
    } finally {
      // A call that the handler made has made it known after all.
      if (!call.isUnfollowed) callStorage.enterWith(outer)
      call.isUnfollowed = false
    }
  } finally {
    enterCall(before)
  }
}

/** Learns from a result; returns the promise that it is, if it is one. @throws what a `then` throws that cannot be read. */
export function promiseIn(method: ExposedMethod, result: unknown): Promise<unknown> | undefined {
  if (isThenable(result)) {
    method.syncRuns = NEVER
    // What others call a promise may throw, or settle twice.
    return result instanceof Promise ? result : Promise.resolve(result)
  }
  if (method.syncRuns < SYNC_RUNS) method.syncRuns += 1
  return undefined
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { then?: unknown }).then === 'function'
  )
}
