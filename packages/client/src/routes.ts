import type { Clock, Ctor, Logger, Remote } from '@rts/rpc'
import { CLOSE, RpcClient, type Destination } from '@rts/rpc/client'
import { FRAME_OVERHEAD_BYTES, type ClientSession } from '@rts/session'
import { ClientError } from './errors.ts'
import { RouteLink } from './route-link.ts'

export interface RoutesOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly defaultTimeoutMs: number | undefined
  readonly whenUnbound: 'wait' | 'fail'
  /** A server sent on a route what no correct one sends. */
  readonly onBroken: (reason: string) => void
}

const DEFAULT_MAX_FRAME_BYTES = 16_384

/**
 * The routes of the session, each a destination of RPC. Calls wait until a route is bound; when its epoch changes, those in
 * flight end with `executed: 'maybe'`, and the next ones go to the new binding.
 */
export class Routes {
  readonly rpc: RpcClient
  readonly #options: RoutesOptions
  readonly #links = new Map<string, RouteLink>()
  readonly #destinations = new Map<string, Destination>()
  #session: ClientSession | undefined

  constructor(options: RoutesOptions) {
    this.#options = options
    this.rpc = new RpcClient(options)
  }

  remote<C extends Ctor>(route: string, service: string): Remote<C, 'player'> {
    return this.#destination(route).service<C>(service)
  }

  /** From now on the routes of this session count, and no others. */
  use(session: ClientSession): void {
    this.leave('a new session')
    this.#session = session
    session.on('route', ({ name, epoch, state }) => {
      if (this.#session !== session) return
      this.#end(name, state === 'bound' ? 'the route was bound anew' : `the route is ${state}`)
      if (state === 'bound') this.#bind(session, name, epoch)
    })
    session.on('message', ({ route, payload, lane, epoch }) => {
      const link = this.#links.get(route)
      if (this.#session === session && link?.epoch === epoch)
        link.receive(payload, lane === 'state')
    })
    session.on('drain', () => {
      if (this.#session !== session) return
      for (const link of [...this.#links.values()]) link.drained()
    })
  }

  /** The session is over. Returns the routes that were bound. */
  leave(reason: string): readonly { readonly name: string; readonly epoch: number }[] {
    const bound = [...this.#links].map(([name, { epoch }]) => ({ name, epoch }))
    this.#session = undefined
    for (const { name } of bound) this.#end(name, reason)
    return bound
  }

  close(): Promise<void> {
    this.leave('the client is closed')
    return this.rpc.close()
  }

  #bind(session: ClientSession, name: string, epoch: number): void {
    const link = new RouteLink(name, epoch, session, this.#options.clock, (reason) => {
      if (this.#links.get(name) !== link) return
      this.#links.delete(name)
      this.#options.onBroken(`${name}: ${reason}`)
    })
    this.#links.set(name, link)
    const maxFrameBytes = session.terms?.maxFrameBytes ?? DEFAULT_MAX_FRAME_BYTES
    this.#destination(name).attach(link, { maxSendBytes: maxFrameBytes - FRAME_OVERHEAD_BYTES })
  }

  #end(name: string, reason: string): void {
    const link = this.#links.get(name)
    this.#links.delete(name)
    link?.end(CLOSE.lost, reason)
  }

  #destination(name: string): Destination {
    let destination = this.#destinations.get(name)
    if (destination === undefined) {
      const whenAway =
        this.#options.whenUnbound === 'fail'
          ? () => new ClientError('CLIENT_ROUTE_LOST', `route ${name} is not bound`)
          : undefined
      destination = this.rpc.destination(name, { whenAway })
      this.#destinations.set(name, destination)
    }
    return destination
  }
}
