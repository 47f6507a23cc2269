import { enterLight, leaveLight, type CallContext } from './call-context.ts'
import { callStorage } from './call-storage.ts'
import type { CallStack } from './call-stack.ts'
import type { Found } from './call-finder.ts'
import { holderOf, type ExposedMethod } from './exposure.ts'
import type { CallFrame, IncomingCall } from './incoming-call.ts'
import { LightCall } from './light-call.ts'
import type { LocalCall } from './local-call.ts'
import type { NodeHost } from './node-host.ts'
import type { Dispatch, Served } from './peer-host.ts'
import { SYNC_RUNS } from './run-handler.ts'
import { isStream } from './stream-source.ts'
import type { Route } from './wire.ts'

type Handler = (...args: unknown[]) => unknown
type Outer = (CallContext & CallFrame) | undefined

/** Where a route led, so that the next call by it need not look again. */
interface Plan {
  readonly by: PlannedCalls
  readonly route: Route
  readonly entity: Uint8Array | undefined
  readonly entityId: string | undefined
  readonly exposed: Served
  readonly method: ExposedMethod
  readonly type: { readonly rpc?: unknown; readonly components?: unknown }
  readonly rpc: unknown
  readonly components: unknown
  readonly dispatch: Dispatch
}

/** What the calls of a node to itself do with those that take the short way. */
export interface PlannedCallsOwner {
  /** A call in the place of one that somebody looked at. */
  whole(route: Route, entityId: string | undefined, outer: Outer): LocalCall
  /** The hook refused it. */
  refused(error: unknown): Promise<unknown>
  /** Its handler is done, or goes on. */
  concluded(call: LocalCall, method: ExposedMethod, result: unknown): Promise<unknown>
  failed(call: LocalCall, method: ExposedMethod, error: unknown): Promise<unknown>
}

class PlannedCall extends LightCall {
  plan: Plan | undefined
  /** What was followed before its handler. */
  #around: CallFrame | undefined
  readonly #owner: PlannedCallsOwner

  constructor(owner: PlannedCallsOwner) {
    super()
    this.#owner = owner
  }

  protected override make(outer: Outer): LocalCall {
    this.#around = callStorage?.getStore()
    const { route, entityId } = this.plan!
    const call = this.#owner.whole(route, entityId, outer)
    // As for other calls that are not followed: one that its handler makes makes it known.
    call.isUnfollowed = callStorage !== undefined
    return call
  }

  /** Its handler is done: what was followed before it is followed again. */
  unfollow(): void {
    const { whole } = this
    if (whole === undefined) return
    if (!whole.isUnfollowed) callStorage?.enterWith(this.#around)
    whole.isUnfollowed = false
  }
}

/** The short way of calls inside one process: to methods that are known to answer at once, and that nothing stands before. */
export class PlannedCalls {
  readonly #host: NodeHost
  readonly #stack: CallStack
  readonly #owner: PlannedCallsOwner
  /** By how deep they are on the stack. */
  readonly #lights: PlannedCall[] = []
  isClosed = false
  /** The last call had its result when `call` returned. */
  hasAnsweredAtOnce = false

  constructor(host: NodeHost, stack: CallStack, owner: PlannedCallsOwner) {
    this.#host = host
    this.#stack = stack
    this.#owner = owner
  }

  /** Remembers where a route led. Not while the method may still turn out to be asynchronous. */
  learn(
    route: Route,
    entity: Uint8Array | undefined,
    found: Found,
    { peer, caller }: Pick<Dispatch, 'peer' | 'caller'>,
  ): void {
    const { method, source: exposed } = found
    if (method.syncRuns < SYNC_RUNS || method.limit !== undefined) return
    const { service, entityId, method: name } = found.topic
    const type = exposed.target.constructor as Plan['type']
    const { rpc, components } = type
    const dispatch = { peer, caller, service, entityId, method: name, isNotify: false }
    const to = { route, entity, entityId, exposed, method, type, rpc, components, dispatch }
    const plan: Plan = { by: this, ...to }
    route.plan = plan
  }

  /** @returns `undefined` for a call that has to take the long way. */
  call(
    route: Route,
    entity: Uint8Array | undefined,
    args: readonly unknown[],
  ): Promise<unknown> | undefined {
    const plan = route.plan as Plan | undefined
    if (plan === undefined || plan.by !== this || !this.#holds(plan, entity, args)) return undefined
    const { method, exposed } = plan
    const holder = holderOf(exposed.target, method)
    if (holder === undefined) return undefined
    const { beforeDispatch, counters } = this.#host
    counters.callsSent += 1
    counters.callsReceived += 1
    if (beforeDispatch !== undefined) {
      try {
        beforeDispatch(plan.dispatch)
      } catch (error) {
        return this.#owner.refused(error)
      }
    }
    return this.#run(plan, holder, args)
  }

  #run(
    plan: Plan,
    holder: Record<string, unknown>,
    args: readonly unknown[],
  ): Promise<unknown> | undefined {
    const stack = this.#stack
    const { mailbox } = plan.exposed
    const light = (this.#lights[stack.depth] ??= new PlannedCall(this.#owner))
    light.plan = plan
    light.whole = undefined
    light.mailbox = mailbox
    mailbox?.enter(light as unknown as IncomingCall, 0)
    enterLight(light)
    stack.depth += 1
    let result: unknown
    let isDone = false
    let failure: { readonly error: unknown } | undefined
    try {
      result = (holder[plan.method.name] as Handler).apply(holder, args as unknown[])
      isDone = isPlain(result)
    } catch (error) {
      failure = { error }
    } finally {
      stack.depth -= 1
      leaveLight(light)
      light.unfollow()
    }
    if (isDone && light.whole === undefined) {
      mailbox?.leave(light as unknown as IncomingCall)
      this.hasAnsweredAtOnce = true
      return Promise.resolve(result)
    }
    const call = light.makeWhole() as LocalCall
    return failure === undefined
      ? this.#owner.concluded(call, plan.method, result)
      : this.#owner.failed(call, plan.method, failure.error)
  }

  /** Whether the call leads where the one before did, and nothing but its handler stands between it and its answer. */
  #holds(plan: Plan, entity: Uint8Array | undefined, args: readonly unknown[]): boolean {
    const host = this.#host
    if (this.isClosed || host.isDraining || host.aroundHandler !== undefined) return false
    if (!this.#stack.isFree) return false
    const { method, exposed, type } = plan
    if (method.syncRuns < SYNC_RUNS || plan.entity !== entity) return false
    if (type.rpc !== plan.rpc || type.components !== plan.components) return false
    const { mailbox } = exposed
    if (mailbox !== undefined && !mailbox.isIdle) return false
    for (let i = 0; i < args.length; i++) {
      const arg = args[i]
      if (typeof arg === 'object' && isStream(arg)) return false
    }
    return plan.entityId === undefined
      ? host.services.get(plan.route.service) === exposed
      : host.entities.get(plan.entityId) === exposed
  }
}

/** Nothing that has to be waited for or read. */
const isPlain = (result: unknown): boolean =>
  typeof result !== 'object' || result === null || !(isThenable(result) || isStream(result))

const isThenable = (value: object): boolean =>
  typeof (value as { readonly then?: unknown }).then === 'function'
