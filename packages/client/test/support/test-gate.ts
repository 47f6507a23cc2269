import {
  RpcNode,
  type Clock,
  type Link,
  type Listener,
  type Random,
  type RpcPeer,
  type Transport,
} from '@rts/rpc'
import { SessionServer, type ServerSession, type SessionServerOptions } from '@rts/session'

/** One binding of a route at the server: a link that RPC runs on. */
class ServerRoute implements Link {
  onMessage: (message: Uint8Array, unreliable?: boolean) => void = () => {}
  onDrain: () => void = () => {}
  onClose: (code: number, reason: string) => void = () => {}
  readonly bufferedBytes = 0
  readonly remote = 'player'
  readonly epoch: number
  readonly #session: ServerSession
  readonly #route: string

  constructor(session: ServerSession, route: string) {
    this.#session = session
    this.#route = route
    this.epoch = session.setRoute(route, 'bound')
  }

  send(message: Uint8Array): boolean {
    return this.#session.send(this.#route, message)
  }

  sendUnreliable(message: Uint8Array): boolean {
    return this.#session.send(this.#route, message, 'state')
  }

  close(code = 1000, reason = ''): void {
    this.onClose(code, reason)
  }
}

export interface Backend {
  readonly rpc: RpcNode
  /** By session id and route. */
  readonly peers: Map<string, RpcPeer>
}

/** A gate and its backends in one: sessions, and RPC right behind them. */
export class TestGate {
  readonly server: SessionServer
  readonly sessions: ServerSession[] = []
  readonly backend: Backend
  readonly #transport: Transport
  readonly #clock: Clock
  readonly #random: Random
  readonly #links = new Map<string, ServerRoute>()
  /** Bound when a session opens. */
  readonly #onOpen: readonly string[]

  constructor(
    transport: Transport,
    clock: Clock,
    random: Random,
    options: Partial<SessionServerOptions> & { readonly onOpen?: readonly string[] } = {},
  ) {
    const { onOpen = ['lobby'], ...rest } = options
    this.#transport = transport
    this.#clock = clock
    this.#random = random
    this.#onOpen = onOpen
    this.backend = { rpc: new RpcNode({ id: 'backend', clock, random }), peers: new Map() }
    this.server = new SessionServer({
      clock,
      random,
      authenticate: (ticket) => {
        if (ticket.startsWith('bad'))
          throw Object.assign(new Error('no'), { code: 'TICKET_EXPIRED' })
        return { account: ticket }
      },
      // Sealing is the gate's; here nobody forges.
      tokens: { seal: (record) => record, open: (token) => token },
      ...rest,
    })
    this.server.on('session', (session) => this.#opened(session))
  }

  listen(url: string): Promise<Listener> {
    const options = { trust: 'player', clock: this.#clock, random: this.#random } as const
    return this.#transport.listen(url, options, (link) => this.server.accept(link))
  }

  /** The one session there is. */
  get session(): ServerSession {
    const session = this.sessions.at(-1)
    if (session === undefined) throw new Error('there is no session')
    return session
  }

  /** Binds a route to a backend: the same node, seen anew. */
  bind(route: string, session: ServerSession = this.session): RpcPeer {
    this.lose(route, session, false)
    const link = new ServerRoute(session, route)
    this.#links.set(`${session.id} ${route}`, link)
    const peer = this.backend.rpc.attach(link, { trust: 'player', name: session.id })
    this.backend.peers.set(`${session.id} ${route}`, peer)
    return peer
  }

  lose(route: string, session: ServerSession = this.session, tell = true): void {
    const key = `${session.id} ${route}`
    this.#links.get(key)?.onClose(1006, 'lost')
    this.#links.delete(key)
    this.backend.peers.delete(key)
    if (tell) session.setRoute(route, 'lost')
  }

  async close(): Promise<void> {
    this.server.stop()
    await this.backend.rpc.close()
  }

  #opened(session: ServerSession): void {
    this.sessions.push(session)
    session.on('message', ({ route, payload, epoch, lane }) => {
      const link = this.#links.get(`${session.id} ${route}`)
      if (link?.epoch === epoch) link.onMessage(payload, lane === 'state')
    })
    session.on('resumed', ({ recovered }) => {
      if (!recovered) for (const route of this.#onOpen) this.bind(route, session)
    })
    for (const route of this.#onOpen) this.bind(route, session)
  }
}
