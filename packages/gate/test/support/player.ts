import {
  RpcNode,
  type Clock,
  type Ctor,
  type Link,
  type Random,
  type Remote,
  type RpcPeer,
  type Transport,
} from '@rts/rpc'
import { ClientSession, type Lane, type RouteInfo } from '@rts/session'

export interface HeardFrame {
  readonly route: string
  readonly text: string
  readonly lane: Lane
}

/** One route of a player as a link for RPC. */
class PlayerRoute implements Link {
  onMessage: (message: Uint8Array, unreliable?: boolean) => void = () => {}
  onDrain: () => void = () => {}
  onClose: (code: number, reason: string) => void = () => {}
  readonly bufferedBytes = 0
  readonly remote: string
  readonly #session: ClientSession
  readonly #route: string

  constructor(session: ClientSession, route: string) {
    this.remote = `route://${route}`
    this.#session = session
    this.#route = route
  }

  send(message: Uint8Array): boolean {
    return this.#session.send(this.#route, message)
  }

  sendUnreliable(message: Uint8Array): boolean {
    return this.#session.send(this.#route, message, 'state')
  }

  close(): void {}
}

/** A player with the least there can be: a session, its links, and RPC on each bound route. */
export class Player {
  readonly session: ClientSession
  readonly rpc: RpcNode
  readonly heard: HeardFrame[] = []
  readonly routes: (RouteInfo & { readonly name: string })[] = []
  readonly resumed: boolean[] = []
  closed: { code: number; reason: string; kind: string } | undefined
  link: Link | undefined
  readonly #transport: Transport
  readonly #clock: Clock
  readonly #random: Random
  readonly #peers = new Map<string, { peer: RpcPeer; link: PlayerRoute }>()

  constructor(transport: Transport, clock: Clock, random: Random, ticket: string) {
    this.#transport = transport
    this.#clock = clock
    this.#random = random
    this.rpc = new RpcNode({ id: 'player', clock, random })
    this.session = new ClientSession({ clock, random, ticket: () => ticket })
    this.session.on('closed', (end) => {
      this.closed = end
    })
    this.session.on('resumed', ({ recovered }) => this.resumed.push(recovered))
    this.session.on('route', (route) => {
      this.routes.push(route)
      this.#peers.get(route.name)?.link.onClose(1006, 'the route changed')
      this.#peers.delete(route.name)
      if (route.state !== 'bound') return
      const link = new PlayerRoute(this.session, route.name)
      this.#peers.set(route.name, { peer: this.rpc.attach(link, { trust: 'server' }), link })
    })
    this.session.on('message', ({ route, payload, lane }) => {
      this.heard.push({ route, lane, text: Buffer.from(payload).toString() })
      this.#peers.get(route)?.link.onMessage(payload, lane === 'state')
    })
  }

  async dial(url: string): Promise<void> {
    this.link = await this.#transport.dial(url, {
      trust: 'player',
      maxMessageBytes: 1_100_000,
      clock: this.#clock,
      random: this.#random,
      signal: new AbortController().signal,
    })
    this.session.attach(this.link)
  }

  state(route: string): string {
    return this.session.route(route).state
  }

  /** What has been heard on the reliable lane. */
  get texts(): string[] {
    return this.heard.filter(({ lane }) => lane === 'reliable').map(({ text }) => text)
  }

  say(route: string, text: string): boolean {
    return this.session.send(route, Buffer.from(text))
  }

  remote<C extends Ctor>(route: string, service: string): Remote<C, 'player'> {
    const entry = this.#peers.get(route)
    if (entry === undefined) throw new Error(`route ${route} is not bound`)
    return entry.peer.service<C, 'player'>(service)
  }
}
