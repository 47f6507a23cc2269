import type { ServerSession } from '@rts/session'
import { publishSession, type GateSessionMessage } from './diagnostics.ts'
import type { GateContext } from './gate-context.ts'
import type { GateOptions, GateRoute } from './options.ts'
import { RouteBinding } from './route-binding.ts'

/** A session and its routes at this gate. */
export class GateSession {
  readonly session: ServerSession
  readonly #gate: GateContext
  readonly #bindings = new Map<string, RouteBinding>()

  constructor(
    gate: GateContext,
    session: ServerSession,
    routes: Readonly<Record<string, GateRoute>>,
  ) {
    this.#gate = gate
    this.session = session
    for (const [name, route] of Object.entries(routes))
      this.#bindings.set(name, new RouteBinding(gate, session, name, route))

    session.on('message', ({ route, payload, epoch, lane }) => {
      this.#bindings.get(route)?.fromPlayer(payload, epoch, lane)
    })
    session.on('drain', () => {
      for (const binding of this.bindings) binding.playerDrained()
    })
    session.on('lost', ({ code, reason }) => {
      this.#publish('lost', { code, reason })
      for (const binding of this.bindings) binding.presence(false)
    })
    session.on('resumed', ({ recovered }) => {
      this.#publish('resumed')
      for (const binding of this.bindings) {
        if (recovered) binding.presence(true)
        else binding.restart()
      }
    })
    session.on('closed', ({ code, reason }) => {
      this.#publish('closed', { code, reason })
      for (const binding of this.bindings) binding.end(code, reason)
    })
  }

  get bindings(): IterableIterator<RouteBinding> {
    return this.#bindings.values()
  }

  binding(route: string): RouteBinding | undefined {
    return this.#bindings.get(route)
  }

  /** Binds what is to be bound from the start, and for an adopted session what it had elsewhere. */
  start(lookup: GateOptions['bindings']): void {
    const { session } = this
    this.#publish(session.origin === 'adopted' ? 'adopted' : 'opened')
    for (const binding of this.bindings) binding.start()
    if (session.origin !== 'adopted' || lookup === undefined) return
    const { id, account, identity } = session
    lookup({ id, account, identity })
      .then((nodes) => this.#bindAll(nodes))
      .catch((error: unknown) => {
        this.#gate.logger.warn('the bindings of an adopted session are not known', {
          session: id,
          error: String(error),
        })
      })
  }

  #bindAll(nodes: Readonly<Record<string, string>>): void {
    if (this.session.state === 'closed') return
    for (const [route, nodeId] of Object.entries(nodes)) {
      const binding = this.#bindings.get(route)
      const target = this.#gate.directory.find(nodeId)
      // A backend that bound it meanwhile knows better.
      if (binding === undefined || target === undefined || binding.nodeId !== undefined) continue
      binding.bindTo(target).catch((error: unknown) => {
        this.#gate.logger.warn('a route of an adopted session was not bound again', {
          session: this.session.id,
          route,
          node: nodeId,
          error: String(error),
        })
      })
    }
  }

  #publish(event: GateSessionMessage['event'], detail?: { code: number; reason: string }): void {
    const { id, account } = this.session
    publishSession({ gate: this.#gate.id, session: id, account, event, ...detail })
  }
}
