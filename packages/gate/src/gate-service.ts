import { currentCall } from '@rts/rpc'
import { CLOSE } from '@rts/session'
import { GateError } from './errors.ts'
import type { GateContext } from './gate-context.ts'
import type { GateSession } from './gate-session.ts'
import type { RouteBinding } from './route-binding.ts'

const MAX_NAME_LENGTH = 128

type ServerMethod =
  | 'bind'
  | 'unbind'
  | 'join'
  | 'leave'
  | 'dissolve'
  | 'multicast'
  | 'kick'
  | 'keepsUp'

/** What backends may ask of a gate. Open to servers alone. */
export class GateService {
  static readonly rpc: Readonly<Record<ServerMethod, 'server'>> = {
    bind: 'server',
    unbind: 'server',
    join: 'server',
    leave: 'server',
    dissolve: 'server',
    multicast: 'server',
    kick: 'server',
    keepsUp: 'server',
  }
  readonly #gate: GateContext
  readonly #sessions: ReadonlyMap<string, GateSession>

  constructor(gate: GateContext, sessions: ReadonlyMap<string, GateSession>) {
    this.#gate = gate
    this.#sessions = sessions
  }

  /** Binds a route of a session to a node. Returns the epoch of the binding once its link is open. */
  async bind(session: string, route: string, nodeId: string): Promise<number> {
    const binding = this.#binding(session, route)
    const target = this.#gate.directory.find(nodeId)
    if (target === undefined)
      throw new GateError('GATE_UNKNOWN_NODE', `no node ${nodeId} in the directory`)
    return binding.bindTo(target)
  }

  unbind(session: string, route: string): void {
    this.#binding(session, route).unbind()
  }

  /** Adds the caller's binding of that session to a group of the caller. */
  join(group: string, session: string, route: string, epoch: number): void {
    const { nodeId } = currentCall()
    const binding = this.#binding(session, route)
    if (binding.nodeId !== nodeId || binding.epoch !== epoch)
      throw new GateError('GATE_NOT_BOUND', `${route} of ${session} is not bound to ${nodeId}`)
    if (typeof group !== 'string' || group === '' || group.length > MAX_NAME_LENGTH)
      throw new GateError(
        'GATE_BAD_ARGUMENTS',
        `a group's name has 1 to ${MAX_NAME_LENGTH} characters`,
      )
    this.#gate.groups.join(nodeId, group, binding)
  }

  leave(group: string, session: string, route: string): void {
    const { nodeId } = currentCall()
    const binding = this.#sessions.get(session)?.binding(route)
    if (binding !== undefined) this.#gate.groups.leave(nodeId, group, binding)
  }

  /** Ends a group of the caller. */
  dissolve(group: string): void {
    this.#gate.groups.dissolve(currentCall().nodeId, group)
  }

  /** Hands a frame to all members of a group of the caller. Returns how many there are at this gate. */
  multicast(group: string, frame: Uint8Array, lane: 'reliable' | 'state', key: number): number {
    const { nodeId } = currentCall()
    const maxBytes = this.#gate.limits.maxToPlayerBytes
    if (!(frame instanceof Uint8Array) || frame.length > maxBytes)
      throw new GateError('GATE_BAD_ARGUMENTS', `a frame has at most ${maxBytes} bytes`)
    if (lane !== 'reliable' && lane !== 'state')
      throw new GateError('GATE_BAD_ARGUMENTS', `there is no lane ${String(lane)}`)
    if (!Number.isSafeInteger(key) || key < 0)
      throw new GateError('GATE_BAD_ARGUMENTS', `a key is a whole number from 0, not ${key}`)
    return this.#gate.groups.multicast(nodeId, group, frame, lane, key)
  }

  /** Ends a session. `false`: there is none of that id, so it is over already. */
  kick(session: string, code: number = CLOSE.kicked, reason = 'kicked'): boolean {
    if (!Number.isInteger(code) || code < 4000 || code > 4999)
      throw new GateError('GATE_BAD_ARGUMENTS', `a close code is from 4000 to 4999, not ${code}`)
    const found = this.#sessions.get(session)
    found?.session.close(code, String(reason))
    return found !== undefined
  }

  /**
   * Asked behind the frames of a binding: may more come? `false`: the backend will be told when. Of a
   * binding that is over it does not matter.
   */
  keepsUp(session: string, route: string, epoch: number): boolean {
    const binding = this.#sessions.get(session)?.binding(route)
    return binding === undefined || binding.epoch !== epoch || binding.keepsUp
  }

  #binding(session: string, route: string): RouteBinding {
    const found = this.#sessions.get(session)
    if (found === undefined)
      throw new GateError('GATE_UNKNOWN_SESSION', `no session ${session} at gate ${this.#gate.id}`)
    const binding = found.binding(route)
    if (binding === undefined)
      throw new GateError('GATE_UNKNOWN_ROUTE', `gate ${this.#gate.id} has no route ${route}`)
    return binding
  }
}
