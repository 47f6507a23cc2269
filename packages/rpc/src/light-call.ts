import type { CallContext } from './call-context.ts'
import { NO_CHAIN, type Chain } from './chain.ts'
import type { CallFrame, IncomingCall } from './incoming-call.ts'
import type { MailboxCall, Turns } from './mailbox.ts'

type Whole = CallContext & CallFrame

/**
 * Holds the place of a call that a synchronous handler answers before anybody looks at it. Once somebody does (asks who
 * calls, or makes a call from the handler), it gives its place to a whole one.
 */
export abstract class LightCall implements MailboxCall {
  readonly frameId: number = 0
  readonly chain: Chain = NO_CHAIN
  readonly priority: number = 0
  mailbox: Turns<IncomingCall> | undefined
  /** What was the current call before. */
  outer: Whole | LightCall | undefined
  whole: (Whole & IncomingCall) | undefined

  /** The whole call, which from now on has its place. */
  makeWhole(): Whole {
    if (this.whole === undefined) {
      if (this.outer instanceof LightCall) this.outer = this.outer.makeWhole()
      this.whole = this.make(this.outer)
      this.whole.mailbox = this.mailbox
      this.mailbox?.replace(this as unknown as IncomingCall, this.whole)
    }
    return this.whole
  }

  run(): void {}

  protected abstract make(outer: Whole | undefined): Whole & IncomingCall
}
