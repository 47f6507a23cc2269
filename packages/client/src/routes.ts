import {
  CLOSE,
  RpcNode,
  type Clock,
  type Ctor,
  type LinkOptions,
  type Listener,
  type Logger,
  type Random,
  type Remote,
  type Transport,
} from '@rts/rpc'
import type { ClientSession, RouteInfo } from '@rts/session'
import { ClientError } from './errors.ts'
import { Porter } from './porter.ts'
import { RouteLink } from './route-link.ts'

export interface RoutesOptions {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly defaultTimeoutMs: number | undefined
  readonly whenUnbound: 'wait' | 'fail'
  /** A server sent on a route what no correct one sends. */
  readonly onBroken: (reason: string) => void
}

/** As far away as timers go: the session watches over its links, and calls have deadlines. */
const NEVER_MS = 2 ** 31 - 1
/** A session's frame needs so many bytes besides its payload. */
const FRAME_OVERHEAD_BYTES = 16
const DEFAULT_MAX_FRAME_BYTES = 16_384

/**
 * The routes of the session, each as an address that RPC can dial: `route://localhost/lobby`. A dial waits
 * until the route is bound; when its epoch changes the link closes, so calls in flight end with
 * `executed: 'maybe'`, and the next call dials the new binding.
 */
export class Routes {
  readonly node: RpcNode
  readonly #options: RoutesOptions
  readonly #porter: Porter
  readonly #links = new Map<string, RouteLink>()
  readonly #dials = new Map<string, Set<(link: RouteLink) => void>>()
  #session: ClientSession | undefined
  #isClosed = false

  constructor(options: RoutesOptions) {
    const { clock, random, logger, defaultTimeoutMs } = options
    this.#options = options
    this.#porter = new Porter(clock, random)
    this.node = new RpcNode({
      id: 'player',
      transports: [this.#transport()],
      trustLoopback: true,
      pingIntervalMs: NEVER_MS - 1,
      pingTimeoutMs: NEVER_MS,
      connectTimeoutMs: NEVER_MS,
      ...(defaultTimeoutMs === undefined ? {} : { defaultTimeoutMs }),
      clock,
      random,
      logger,
    })
    this.node.onPeer((peer) => this.#links.get(routeOf(peer.url))?.opened())
  }

  remote<C extends Ctor>(route: string, service: string): Remote<C, 'player'> {
    // The node calls whoever it dialled a server; what that offers to players is what there is.
    return this.node.at<C>(urlOf(route), service) as unknown as Remote<C, 'player'>
  }

  /** From now on the routes of this session count, and no others. */
  use(session: ClientSession): void {
    this.leave('a new session')
    this.#session = session
    session.on('route', ({ name, epoch, state }) => {
      if (this.#session === session) this.#changed(session, name, { epoch, state })
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
    const bound = [...this.#links.values()].map(({ route, epoch }) => ({ name: route, epoch }))
    this.#session = undefined
    for (const { name } of bound) this.#end(name, reason)
    return bound
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.leave('the client is closed')
    await Promise.all([this.node.close(), this.#porter.close()])
  }

  #changed(session: ClientSession, name: string, { epoch, state }: RouteInfo): void {
    this.#end(name, state === 'bound' ? 'the route was bound anew' : `the route is ${state}`)
    if (state !== 'bound') return
    const link = new RouteLink(urlOf(name), name, epoch, session, this.#options.clock, (reason) => {
      if (this.#links.get(name) !== link) return
      this.#links.delete(name)
      if (!this.#isClosed) this.#options.onBroken(`${name}: ${reason}`)
    })
    this.#links.set(name, link)
    for (const take of this.#dials.get(name) ?? []) take(link)
    this.#dials.delete(name)
    // The server may call first.
    this.node.connect(urlOf(name)).catch(() => {})
  }

  #end(name: string, reason: string): void {
    const link = this.#links.get(name)
    this.#links.delete(name)
    link?.end(CLOSE.lost, reason)
  }

  #transport(): Transport {
    return {
      scheme: 'route',
      dial: async (url, options) => {
        let link = await this.#bound(routeOf(url), options)
        // The route may have been bound anew, or lost, before this goes on.
        while (!link.isOpen) link = await this.#bound(routeOf(url), options)
        const maxFrameBytes = this.#session?.terms?.maxFrameBytes ?? DEFAULT_MAX_FRAME_BYTES
        this.#porter.greet(link, maxFrameBytes - FRAME_OVERHEAD_BYTES)
        return link
      },
      listen: (): Promise<Listener> =>
        Promise.reject(new TypeError('nobody listens on the routes of a client')),
    }
  }

  /** The link of a route, once it is bound. */
  #bound(
    name: string,
    { signal }: LinkOptions & { readonly signal: AbortSignal },
  ): Promise<RouteLink> {
    const link = this.#links.get(name)
    if (link !== undefined) return Promise.resolve(link)
    if (this.#options.whenUnbound === 'fail')
      return Promise.reject(new ClientError('CLIENT_ROUTE_LOST', `route ${name} is not bound`))
    return new Promise((resolve, reject) => {
      let dials = this.#dials.get(name)
      if (dials === undefined) this.#dials.set(name, (dials = new Set()))
      dials.add(resolve)
      signal.addEventListener('abort', () => {
        dials.delete(resolve)
        reject(signal.reason as Error)
      })
    })
  }
}

const urlOf = (route: string): string => `route://localhost/${encodeURIComponent(route)}`

const routeOf = (url: string): string => decodeURIComponent(url.slice('route://localhost/'.length))
