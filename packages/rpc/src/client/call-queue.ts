import type { ClientCall } from './client-call.ts'

const MAX_WAITING = 1024

/**
 * One call at a time, for the objects of a client that ask for it. Nobody tells a client who waits for whom, so there are
 * no calls that may come back into the running one, as a node's mailboxes have them.
 */
export class CallQueue {
  readonly #waiting = new Set<ClientCall>()
  #isBusy = false
  #isTurning = false

  /** `run` and `wait` oblige to `leave` or, while it waits, `withdraw`. */
  enter(call: ClientCall): 'run' | 'wait' | 'full' {
    if (!this.#isBusy) {
      this.#isBusy = true
      return 'run'
    }
    if (this.#waiting.size >= MAX_WAITING) return 'full'
    this.#waiting.add(call)
    return 'wait'
  }

  /** A call is over: the next one runs before this returns. */
  leave(): void {
    this.#isBusy = false
    // Calls that are over at once do not run on one another's stack.
    if (this.#isTurning) return
    this.#isTurning = true
    for (const next of this.#waiting) {
      if (this.#isBusy) break
      this.#isBusy = true
      this.#waiting.delete(next)
      next.run()
    }
    this.#isTurning = false
  }

  withdraw(call: ClientCall): void {
    this.#waiting.delete(call)
  }
}

// An object has one, however many names lead to it.
const queues = /* @__PURE__ */ new WeakMap<object, CallQueue>()

export function queueOf(target: object): CallQueue {
  let queue = queues.get(target)
  if (queue === undefined) queues.set(target, (queue = new CallQueue()))
  return queue
}
