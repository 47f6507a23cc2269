import type { RpcPeer } from '@rts/rpc'
import { GateError } from './errors.ts'
import type { GateContext } from './gate-context.ts'
import type { GateTarget } from './options.ts'

interface Attempt {
  readonly nodeId: string
  readonly abort: AbortController
}

/** Reaches backends for one route, one at a time: a newer dial ends the one before. */
export class BackendDial {
  readonly #gate: GateContext
  readonly #route: string
  #attempt: Attempt | undefined

  constructor(gate: GateContext, route: string) {
    this.#gate = gate
    this.#route = route
  }

  get isUnderway(): boolean {
    return this.#attempt !== undefined
  }

  /** @throws GateError `GATE_UNREACHABLE`, `GATE_SUPERSEDED`, or what `stop` was given. */
  async reach(target: GateTarget): Promise<RpcPeer> {
    const { rpc, clock, dialTimeoutMs } = this.#gate
    this.stop(
      new GateError('GATE_SUPERSEDED', `route ${this.#route} was bound to ${target.id} meanwhile`),
    )
    const attempt: Attempt = { nodeId: target.id, abort: new AbortController() }
    this.#attempt = attempt
    const { signal } = attempt.abort
    const cancelTimer = clock.setTimer(dialTimeoutMs, () => {
      const text = `${target.url} did not answer within ${dialTimeoutMs} ms`
      attempt.abort.abort(new GateError('GATE_UNREACHABLE', text))
    })
    try {
      const peer = await rpc.connect(target.url, { signal })
      signal.throwIfAborted()
      if (peer.nodeId !== target.id)
        throw new GateError('GATE_UNREACHABLE', `${peer.nodeId} answers at ${target.url}`)
      return peer
    } catch (error) {
      if (error instanceof GateError) throw error
      const message = error instanceof Error ? error.message : String(error)
      throw new GateError('GATE_UNREACHABLE', `${target.id} was not reached: ${message}`, {
        cause: error,
      })
    } finally {
      cancelTimer()
      if (this.#attempt === attempt) this.#attempt = undefined
    }
  }

  /** Ends the dial under way. */
  stop(reason: GateError): void {
    this.#attempt?.abort.abort(reason)
  }

  /** That node is gone for good: a dial to it has no point. */
  nodeLeft(nodeId: string): void {
    if (this.#attempt?.nodeId === nodeId)
      this.stop(new GateError('GATE_UNREACHABLE', `node ${nodeId} has left`))
  }
}
