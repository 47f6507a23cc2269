import type { CallerKind } from './remote-types.ts'
import type { CallFrame } from './incoming-call.ts'
import { callStorage } from './call-storage.ts'
import { LightCall } from './light-call.ts'
import type { RpcPeer } from './peer.ts'

/** Who is calling, and until when the answer is wanted. */
export interface CallContext {
  readonly caller: CallerKind
  readonly peer: RpcPeer
  /** The node or session at the other end. */
  readonly nodeId: string
  /** On the node's clock, in milliseconds; `undefined` for a notification or a call without end. */
  readonly deadline: number | undefined
  /** The W3C trace context of the call, as the calling server said. */
  readonly trace: string | undefined
  /** The trace id in it: 32 hexadecimal digits. */
  readonly traceId: string | undefined
  /** Fires when the caller cancels, its link closes, or the deadline passes. */
  readonly signal: AbortSignal
}

type Whole = CallContext & CallFrame

let current: Whole | undefined
/** In its place, while nobody has asked. */
let light: LightCall | undefined

/** The call being handled. Valid synchronously inside a handler until its first await; throws outside. */
export function currentCall(): CallContext {
  if (light !== undefined) makeWhole(light)
  if (current === undefined) throw new Error('currentCall: no call is being handled here')
  return current
}

/** The same, or `undefined` outside of a handler. */
export function callHere(): CallContext | undefined {
  if (light !== undefined) makeWhole(light)
  return current
}

/** Makes a call the current one; returns the one before, to be put back. */
export function enterCall(call: Whole | undefined): Whole | undefined {
  if (light !== undefined) makeWhole(light)
  const before = current
  current = call
  return before
}

/** Makes a call the current one that is made whole when somebody asks for it; {@link leaveLight} ends it. */
export function enterLight(call: LightCall): void {
  call.outer = light ?? current
  light = call
}

export function leaveLight(call: LightCall): void {
  const { outer } = call
  if (outer instanceof LightCall && outer.whole === undefined) {
    light = outer
  } else {
    light = undefined
    current = outer instanceof LightCall ? outer.whole : outer
  }
}

/** The handler that is behind what runs now, also after its awaits. */
export function frameHere(): CallFrame | undefined {
  if (light !== undefined) makeWhole(light)
  if (current === undefined) return callStorage?.getStore()
  if (current.isUnfollowed) {
    // From here on it is to be known after an await, too; who runs the handler puts back what was before.
    current.isUnfollowed = false
    callStorage?.enterWith(current)
  }
  return current
}

function makeWhole(call: LightCall): void {
  light = undefined
  current = call.makeWhole()
}
