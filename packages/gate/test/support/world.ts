import { RpcNode, type Link } from '@rts/rpc'
import { clusterKey } from '@rts/rpc/node'
import { SimNetwork } from '@rts/rpc/sim'
import { seededRandom, SteppedClock, type SeededRandom } from '@rts/testing'
import { PlayerSessions, type PlayerSession } from '../../src/backend.ts'
import { Gate, type GateDirectory, type GateOptions, type GateTarget } from '../../src/index.ts'
import { Player } from './player.ts'

const CLUSTER_SECRET = 'a secret of this test cluster'
const TOKEN_KEY = new Uint8Array(32).fill(7)

/** What a registry would say. */
export class TestDirectory implements GateDirectory {
  readonly nodes = new Map<string, { readonly target: GateTarget; readonly role: string }>()
  readonly #leaveListeners = new Set<(nodeId: string) => void>()

  pick(role: string, avoid?: ReadonlySet<string>): GateTarget | undefined {
    const of = [...this.nodes.values()].filter((node) => node.role === role)
    return (of.find(({ target }) => avoid?.has(target.id) !== true) ?? of[0])?.target
  }

  find(nodeId: string): GateTarget | undefined {
    return this.nodes.get(nodeId)?.target
  }

  onLeave(listener: (nodeId: string) => void): () => void {
    this.#leaveListeners.add(listener)
    return () => void this.#leaveListeners.delete(listener)
  }

  leave(nodeId: string): void {
    this.nodes.delete(nodeId)
    for (const listener of this.#leaveListeners) listener(nodeId)
  }
}

/** A node that takes players with its bare hands, to see the frames themselves. */
export interface RawBackend {
  readonly id: string
  readonly rpc: RpcNode
  readonly links: { readonly link: Link; readonly meta: Record<string, unknown>; closed?: string }[]
  readonly frames: string[]
  reply: ((text: string, link: Link) => void) | undefined
}

/** A node with `PlayerSessions`. */
export interface Backend {
  readonly id: string
  readonly rpc: RpcNode
  readonly players: PlayerSessions
}

/** Gates, backends and players on simulated links under one stepped clock. */
export class World {
  readonly clock = new SteppedClock()
  readonly random: SeededRandom
  readonly network: SimNetwork
  readonly directory = new TestDirectory()
  readonly gates: Gate[] = []
  readonly #nodes: RpcNode[] = []
  #players = 0

  constructor(seed = 1) {
    this.random = seededRandom(seed)
    this.network = new SimNetwork({ clock: this.clock, random: this.random.fork() })
  }

  node(id: string, role: string): RpcNode {
    const node = new RpcNode({
      id,
      role,
      transports: [this.network.host(id)],
      cluster: clusterKey(CLUSTER_SECRET),
      clock: this.clock,
      random: this.random.fork(),
    })
    this.#nodes.push(node)
    return node
  }

  async gate(id = 'gate_1', options: Partial<GateOptions> = {}): Promise<Gate> {
    const rpc = this.node(id, 'gate')
    await this.run(rpc.listen(`sim://${id}:2`))
    const gate = new Gate({
      rpc,
      transports: [this.network.host(id)],
      routes: { lobby: { onOpen: true }, game: {} },
      directory: this.directory,
      authenticate: (ticket) => {
        if (ticket.startsWith('bad'))
          throw Object.assign(new Error('no'), { code: 'TICKET_EXPIRED' })
        return { account: ticket, realm: 'west' }
      },
      tokenKey: TOKEN_KEY,
      clock: this.clock,
      random: this.random.fork(),
      ...options,
    })
    this.gates.push(gate)
    await this.run(gate.listen(`sim://${id}:1`))
    return gate
  }

  async backend(
    id: string,
    onSession: (session: PlayerSession) => void | Promise<void> = () => {},
    role: string = id.replace(/_.*/, ''),
  ): Promise<Backend> {
    const rpc = this.node(id, role)
    const players = new PlayerSessions(rpc, { onSession, clock: this.clock })
    await this.#join(id, role, rpc)
    return { id, rpc, players }
  }

  async rawBackend(id: string, role: string = id.replace(/_.*/, '')): Promise<RawBackend> {
    const rpc = this.node(id, role)
    const backend: RawBackend = { id, rpc, links: [], frames: [], reply: undefined }
    rpc.onVirtualLink((link, meta) => {
      const entry: RawBackend['links'][number] = { link, meta: meta as Record<string, unknown> }
      backend.links.push(entry)
      link.onMessage = (message) => {
        const text = Buffer.from(message).toString()
        backend.frames.push(text)
        backend.reply?.(text, link)
      }
      link.onClose = (code, reason) => {
        entry.closed = `${code} ${reason}`
      }
    })
    await this.#join(id, role, rpc)
    return backend
  }

  /** A player whose link goes to that gate, logged in. */
  async player(gate = 'gate_1', ticket?: string): Promise<Player> {
    const player = this.newPlayer(ticket)
    await this.run(player.dial(`sim://${gate}:1`))
    await this.clock.runUntil(() => player.session.state !== 'opening')
    return player
  }

  newPlayer(ticket?: string): Player {
    this.#players += 1
    const name = ticket ?? `player_${this.#players}`
    const host = this.network.host(`host_${this.#players}`)
    return new Player(host, this.clock, this.random.fork(), name)
  }

  /** The process of a node is gone from one moment to the next. */
  crash(id: string): void {
    this.network.host(id).abort()
  }

  until(done: () => boolean, limitMs = 10_000): Promise<void> {
    return this.clock.runUntil(done, { limitMs })
  }

  /** Awaits what needs time to pass. */
  async run<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false
    const settled = (): void => {
      isSettled = true
    }
    promise.then(settled, settled)
    await this.clock.runUntil(() => isSettled)
    return promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closing = Promise.all([
      ...this.gates.map((gate) => gate.stop()),
      ...this.#nodes.map((node) => node.close()),
    ])
    await this.run(closing)
  }

  async #join(id: string, role: string, rpc: RpcNode): Promise<void> {
    const url = `sim://${id}:1`
    await this.run(rpc.listen(url))
    this.directory.nodes.set(id, { target: { id, url }, role })
  }
}
