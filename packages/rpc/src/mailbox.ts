import type { Chain } from './chain.ts'
import { executionOf, type Execution } from './execution.ts'
import type { IncomingCall } from './incoming-call.ts'

/** A call as its mailbox sees it. */
export interface MailboxCall {
  /** Names it while it runs. */
  readonly frameId: number
  /** Who waits for it. */
  readonly chain: Chain
  /** Larger goes first. */
  readonly priority: number
  /** Its turn has come, after it waited. It is over when it says `leave`. */
  run(): void
}

/** What calls pass on their way to an object. */
export interface Turns<C> {
  readonly waiting: number
  /** Nothing runs and nothing waits. */
  readonly isIdle: boolean
  /** `run` and `wait` oblige to `leave` or, while it waits, `withdraw`. */
  enter(call: C, maxWaiting: number): 'run' | 'wait' | 'full'
  /** The call is over: whose turn it is runs before this returns. */
  leave(call: C): void
  /** Takes a call out that waits. @returns Whether it did. */
  withdraw(call: C): boolean
  /** What has to end before a call that waits here may run. */
  blockersOf(call: C): readonly C[]
  /** Puts one running call in the place of another. */
  replace(call: C, by: C): void
}

/**
 * One call at a time, the next one by priority, then in the order they came. Only a call that comes back from the running one may run inside it, and then it is the running
 * one: so a chain can return (A to B to A), one frame of it at a time.
 */
export class Mailbox<C extends MailboxCall = MailboxCall> implements Turns<C> {
  /** What runs: the last one now, those before it wait for it or go on after it. */
  readonly #frames: C[] = []
  readonly #waiting = new Set<C>()
  /** Calls that wait are not all equal. */
  #hasPriorities = false
  #isTurning = false

  get waiting(): number {
    return this.#waiting.size
  }

  /** `run` and `wait` oblige to `leave` or, while it waits, `withdraw`. */
  enter(call: C, maxWaiting: number): 'run' | 'wait' | 'full' {
    if (this.#admits(call)) {
      this.#frames.push(call)
      return 'run'
    }
    if (this.#waiting.size >= maxWaiting) return 'full'
    if (this.#waiting.size === 0) this.#hasPriorities = false
    if (call.priority !== 0) this.#hasPriorities = true
    this.#waiting.add(call)
    return 'wait'
  }

  /** Nothing runs and nothing waits. */
  get isIdle(): boolean {
    return this.#frames.length === 0 && this.#waiting.size === 0
  }

  /** Puts one running call in the place of another. */
  replace(call: C, by: C): void {
    const index = this.#frames.indexOf(call)
    if (index >= 0) this.#frames[index] = by
  }

  /** The call is over: whose turn it is runs before this returns. */
  leave(call: C): void {
    const last = this.#frames.length - 1
    if (this.#frames[last] === call) this.#frames.pop()
    else {
      const index = this.#frames.indexOf(call)
      if (index >= 0) this.#frames.splice(index, 1)
    }
    if (this.#waiting.size === 0 || this.#isTurning) return
    this.#isTurning = true
    try {
      for (let next = this.#next(); next !== undefined; next = this.#next()) {
        this.#waiting.delete(next)
        this.#frames.push(next)
        next.run()
      }
    } finally {
      this.#isTurning = false
    }
  }

  /** Takes a call out that waits. @returns Whether it did. */
  withdraw(call: C): boolean {
    return this.#waiting.delete(call)
  }

  /** What has to end before a call that waits here may run; what called it does not. */
  blockersOf(call: C): readonly C[] {
    const caller = this.#frames.findLastIndex(({ frameId }) => call.chain.includes(frameId))
    return this.#frames.slice(caller + 1)
  }

  #admits(call: C): boolean {
    const top = this.#frames.at(-1)
    if (top === undefined) return this.#waiting.size === 0
    return call.chain.length > 0 && call.chain.includes(top.frameId)
  }

  #next(): C | undefined {
    const top = this.#frames.at(-1)
    let best: C | undefined
    for (const call of this.#waiting) {
      if (top !== undefined && !call.chain.includes(top.frameId)) continue
      if (!this.#hasPriorities) return call
      if (best === undefined || call.priority > best.priority) best = call
    }
    return best
  }
}

// An object has one mailbox, however many names lead to it.
const mailboxes = new WeakMap<object, Mailbox<IncomingCall>>()

/**
 * The mailbox of an object whose class is serial, by its `static execution` or by default.
 *
 * @throws TypeError when `static execution` is something else.
 */
export function mailboxOf(target: object, byDefault: Execution): Mailbox<IncomingCall> | undefined {
  if (executionOf(target, byDefault) === 'reentrant') return undefined
  let mailbox = mailboxes.get(target)
  if (mailbox === undefined) {
    mailbox = new Mailbox()
    mailboxes.set(target, mailbox)
  }
  return mailbox
}

/** What is kept of a service of a node. */
export const withMailbox = <E extends { readonly target: object }>(
  exposing: E,
): E & { readonly mailbox: Mailbox<IncomingCall> | undefined } => ({
  ...exposing,
  mailbox: mailboxOf(exposing.target, 'reentrant'),
})
