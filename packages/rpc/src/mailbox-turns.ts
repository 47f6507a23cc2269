import { refusal, type Found } from './call-finder.ts'
import { RpcError } from './errors.ts'
import { holderOf } from './exposure.ts'
import type { IncomingCall } from './incoming-call.ts'
import type { PeerHost } from './peer-host.ts'

/** A call that waited begins this long before its deadline at the latest, so that who made it hears that it did not. */
const MAX_NOTICE_MS = 100
const NOTICE_SHARE = 0.1

/** What happens to a call that waits in a mailbox. */
export interface TurnTaker<C extends IncomingCall> {
  /** It waits, and counts as unfinished from here on. */
  begin(call: C): void
  /** It does not wait any more, and has not run. */
  withdrawn(call: C): void
  refuse(call: C, error: RpcError): void
  /** Its turn has come. */
  run(call: C, found: Found, args: readonly unknown[]): void
  /** Its turn has come, and it does not run. */
  pass(call: C): void
}

/** The mailboxes as the calls of one peer, or of the node to itself, go through them. */
export class MailboxTurns<C extends IncomingCall = IncomingCall> {
  readonly #host: PeerHost
  readonly #taker: TurnTaker<C>

  constructor(host: PeerHost, taker: TurnTaker<C>) {
    this.#host = host
    this.#taker = taker
  }

  /** @returns Whether the call runs now. Otherwise it waits for its turn, or has been refused. */
  enter(call: C, found: Found, args: readonly unknown[]): boolean {
    const { mailbox } = found
    if (mailbox === undefined) return true
    const { counters, clock, maxWaitingPerObject } = this.#host
    const entered = mailbox.enter(call, maxWaitingPerObject)
    if (entered === 'full') {
      counters.refusedOverloaded += 1
      const why = `${mailbox.waiting} calls wait for it`
      this.#taker.refuse(call, refusal('RPC_OVERLOADED', found.topic, why))
      return false
    }
    call.mailbox = mailbox
    if (entered === 'run') return true
    this.#taker.begin(call)
    counters.waitingCalls += 1
    const waiting = {
      run: () => {
        counters.waitingCalls -= 1
        this.#host.deadlocks.remove(call)
        this.#takeTurn(call, found, args)
      },
      expire: () => {
        if (!this.withdraw(call)) return
        counters.timeouts += 1
        const why = 'its turn did not come in time'
        this.#taker.refuse(call, refusal('RPC_TIMEOUT', found.topic, why))
      },
    }
    this.#host.deadlocks.add(call, (trail) => {
      if (!this.withdraw(call)) return
      counters.deadlocks += 1
      const text = `these wait for one another: ${trail.join(' → ')}`
      this.#taker.refuse(call, new RpcError('RPC_DEADLOCK', text, { data: { chain: trail } }))
    })
    const { deadline } = call
    if (deadline === undefined) call.wait(waiting, undefined)
    else {
      const notice = Math.min(MAX_NOTICE_MS, (deadline - clock.now()) * NOTICE_SHARE)
      call.wait(waiting, deadline - notice)
    }
    return false
  }

  /** Takes a call out of the mailbox it waits in. @returns Whether it waited. */
  withdraw(call: C): boolean {
    if (call.waiting === undefined || call.mailbox?.withdraw(call) !== true) return false
    call.waiting = undefined
    call.finish()
    this.#host.deadlocks.remove(call)
    this.#host.counters.waitingCalls -= 1
    this.#taker.withdrawn(call)
    return true
  }

  /** What held when the call came may not hold any more. */
  #takeTurn(call: C, found: Found, args: readonly unknown[]): void {
    const host = this.#host
    const { target, method, topic } = found
    const { entityId } = topic
    const isThere = entityId === undefined || host.entities.get(entityId)?.target === target
    const holder = isThere ? holderOf(target, method) : undefined
    if (holder === undefined) {
      host.counters.refusedUnknown += 1
      const code = isThere ? 'RPC_UNKNOWN_METHOD' : 'RPC_UNKNOWN_ENTITY'
      const why = 'it went away before the turn of the call came'
      this.#taker.refuse(call, refusal(code, topic, why))
      this.#taker.pass(call)
      return
    }
    this.#taker.run(call, holder === found.holder ? found : { ...found, holder }, args)
  }
}
