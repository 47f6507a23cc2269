import { exposeIn } from './expose-in.ts'
import type { ExposedMethods } from './exposure.ts'
import type { IncomingCall } from './incoming-call.ts'
import { withMailbox, type Turns } from './mailbox.ts'
import type { Exposed } from './peer-host.ts'

/** How many calls of one method a node takes at once. */
export interface MethodLimit {
  /** Running ones; a whole number from 1. */
  readonly running: number
  /** How many more wait for their turn; beyond, a call fails with `RPC_OVERLOADED`. @defaultValue 0 */
  readonly waiting?: number
}

/** @throws TypeError when a limit is no whole numbers, running from 1. */
export function checkLimits(methods: ExposedMethods): void {
  for (const [name, { limit }] of methods) {
    if (limit === undefined) continue
    const { running, waiting = 0 } = limit
    if (!(Number.isInteger(running) && running >= 1 && Number.isInteger(waiting) && waiting >= 0)) {
      throw new TypeError(`limits gives "${name}" no whole numbers, running from 1`)
    }
  }
}

/** As `exposeIn`, for a host that keeps limits. @throws TypeError as {@link checkLimits} does. */
export function exposeLimited(
  services: Map<string, Exposed>,
  name: string,
  target: object,
  table: object | undefined,
): () => void {
  const undo = exposeIn(services, name, target, table, withMailbox)
  try {
    checkLimits(services.get(name)!.methods)
  } catch (error) {
    undo()
    throw error
  }
  return undo
}

interface Waiting {
  readonly call: IncomingCall
  readonly admit: () => void
}

/** The calls of one method at one node, whatever object they are for. */
export class MethodGate {
  readonly #limit: MethodLimit
  readonly #running = new Set<IncomingCall>()
  readonly #waiting = new Map<IncomingCall, Waiting>()

  constructor(limit: MethodLimit) {
    this.#limit = limit
  }

  get waiting(): number {
    return this.#waiting.size
  }

  enter(call: IncomingCall, admit: () => void): 'run' | 'wait' | 'full' {
    if (this.#running.size < this.#limit.running || this.#isInside(call)) {
      this.#running.add(call)
      return 'run'
    }
    if (this.#waiting.size >= (this.#limit.waiting ?? 0)) return 'full'
    this.#waiting.set(call, { call, admit })
    return 'wait'
  }

  /** Takes a call out that waits here. @returns Whether it did. */
  withdraw(call: IncomingCall): boolean {
    return this.#waiting.delete(call)
  }

  leave(call: IncomingCall): void {
    if (!this.#running.delete(call)) return
    if (this.#waiting.size === 0 || this.#running.size >= this.#limit.running) return
    let next: Waiting | undefined
    for (const waiting of this.#waiting.values()) {
      if (next === undefined || waiting.call.priority > next.call.priority) next = waiting
    }
    if (next === undefined) return
    this.#waiting.delete(next.call)
    this.#running.add(next.call)
    next.admit()
  }

  /** Whose end surely lets a waiting call in. With more than one running nobody can say. */
  blockersOf(call: IncomingCall): readonly IncomingCall[] | undefined {
    if (!this.#waiting.has(call)) return undefined
    return this.#limit.running === 1 ? [...this.#running] : []
  }

  /** It was made for a call that runs here: to wait for that one would be to wait for itself. */
  #isInside(call: IncomingCall): boolean {
    if (call.chain.length === 0) return false
    for (const { frameId } of this.#running) if (call.chain.includes(frameId)) return true
    return false
  }
}

/** The way to one object through the gate of a method, then to the object's mailbox if it has one. */
export class GatedTurns implements Turns<IncomingCall> {
  /** Never: each call asks the gate. */
  readonly isIdle: boolean = false
  readonly #gate: MethodGate
  readonly #inner: Turns<IncomingCall> | undefined

  constructor(gate: MethodGate, inner: Turns<IncomingCall> | undefined) {
    this.#gate = gate
    this.#inner = inner
  }

  get waiting(): number {
    return this.#gate.waiting + (this.#inner?.waiting ?? 0)
  }

  enter(call: IncomingCall, maxWaiting: number): 'run' | 'wait' | 'full' {
    const entered = this.#gate.enter(call, () => {
      // It was let wait once: it is not turned away now.
      if (this.#inner === undefined || this.#inner.enter(call, Infinity) === 'run') call.run()
    })
    if (entered !== 'run' || this.#inner === undefined) return entered
    const inner = this.#inner.enter(call, maxWaiting)
    if (inner === 'full') this.#gate.leave(call)
    return inner
  }

  leave(call: IncomingCall): void {
    this.#inner?.leave(call)
    this.#gate.leave(call)
  }

  withdraw(call: IncomingCall): boolean {
    if (this.#gate.withdraw(call)) return true
    if (this.#inner?.withdraw(call) !== true) return false
    this.#gate.leave(call)
    return true
  }

  blockersOf(call: IncomingCall): readonly IncomingCall[] {
    return this.#gate.blockersOf(call) ?? this.#inner?.blockersOf(call) ?? []
  }

  replace(call: IncomingCall, by: IncomingCall): void {
    this.#inner?.replace(call, by)
  }
}
