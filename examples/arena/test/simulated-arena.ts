import { Client } from '@rts/client'
import { MemoryBackend } from '@rts/discovery'
import { SimulatedNetwork } from '@rts/kcp/simulator'
import type { Transport } from '@rts/rpc'
import { kcp } from '@rts/rpc/kcp'
import { SimNetwork } from '@rts/rpc/sim'
import { MemoryStore } from '@rts/store'
import { CrashableClock, SteppedClock, seededRandom, type SeededRandom } from '@rts/testing'
import type { ArenaNode } from '../src/arena-node.ts'
import type { ArenaConfig, Role } from '../src/config.ts'
import { startGame } from '../src/game/game-node.ts'
import { startGate } from '../src/gate/gate-node.ts'
import { startLobby } from '../src/lobby/lobby-node.ts'

const SIM_CONFIG: ArenaConfig = {
  cluster: 'sim',
  clusterKey: 'the key of the simulated cluster',
  adminKey: '',
  ticketSecret: 'sim',
  ticketTtlSeconds: 60,
  registry: { ttlSeconds: 3, etcd: [] },
  store: { file: '', saveIntervalMs: 2000 },
  listen: { servers: '', tcp: '', ws: '' },
  http: { host: '', port: 0, loginBurst: 1, loginsPerMinute: 1 },
  nodes: [
    { id: 'lobby_1', role: 'lobby' },
    { id: 'lobby_2', role: 'lobby' },
    { id: 'game_1', role: 'game' },
    { id: 'game_2', role: 'game' },
    { id: 'gate_1', role: 'gate' },
    { id: 'gate_2', role: 'gate' },
  ],
  processes: { ttlSeconds: 30, nodes: [] },
  reload: { watchMs: 0, sampleMs: 1, tolerance: 0 },
  room: { seats: 3, matchSeconds: 8 },
}

/** What players dial: simulated links, or KCP over a network that loses, doubles and reorders datagrams. */
export type SimulatedLine = 'sim' | 'kcp'

const gateUrls = (line: SimulatedLine): string[] => [`${line}://gate_1:2`, `${line}://gate_2:2`]

/** The arena without a machine: simulated links, memory registry and store, one clock and one seed for all. */
export class SimulatedArena {
  readonly line: SimulatedLine
  readonly clock: SteppedClock = new SteppedClock()
  readonly random: SeededRandom
  readonly network: SimNetwork
  /** What KCP runs over. */
  readonly datagrams: SimulatedNetwork
  readonly #backend: MemoryBackend
  readonly #store: MemoryStore
  readonly #nodes = new Map<string, { node: ArenaNode; clock: CrashableClock }>()
  #clients = 0
  /** Everything that was seen, in order, with its time. */
  readonly log: string[] = []

  constructor(seed: number, line: SimulatedLine = 'sim') {
    this.line = line
    this.random = seededRandom(seed)
    this.datagrams = new SimulatedNetwork({
      clock: this.clock,
      seed,
      path: {
        delayMs: 5,
        jitter: { kind: 'uniform', ms: 10 },
        loss: 0.1,
        duplicate: 0.01,
        corrupt: 0.01,
      },
    })
    this.network = new SimNetwork({
      clock: this.clock,
      random: this.random.fork(),
      delayMs: 5,
      jitterMs: 10,
    })
    this.#backend = new MemoryBackend({ clock: this.clock })
    this.#store = new MemoryStore()
  }

  get nodes(): ArenaNode[] {
    return [...this.#nodes.values()].map(({ node }) => node)
  }

  note(text: string): void {
    this.log.push(`${this.clock.now().toFixed(2)} ${text}`)
  }

  /** Settles a promise by letting the simulated time pass. */
  async wait<T>(promise: Promise<T>, limitMs = 30_000): Promise<T> {
    let isSettled = false
    const settled = promise.finally(() => (isSettled = true))
    settled.catch(() => {})
    await this.clock.runUntil(() => isSettled, { limitMs })
    return settled
  }

  async start(): Promise<void> {
    for (const { id, role } of SIM_CONFIG.nodes) await this.wait(this.startNode(id, role))
  }

  async startNode(id: string, role: Role): Promise<void> {
    const clock = new CrashableClock(this.clock)
    const host = this.network.host(id)
    const note = (level: string) => (message: string) => this.note(`${id} ${level} ${message}`)
    const surroundings = {
      config: SIM_CONFIG,
      clock,
      random: this.random.fork(),
      logger: {
        debug: note('debug'),
        info: note('info'),
        warn: note('warn'),
        error: note('error'),
      },
      backend: this.#backend,
      store: this.#store,
      servers: { transports: [host], listen: `sim://${id}:1` },
      players: { transports: [this.#players(id)], listen: [`${this.line}://${id}:2`] },
    }
    const start = { lobby: startLobby, game: startGame }
    const node =
      role === 'lobby' || role === 'game'
        ? await start[role](id, surroundings)
        : await startGate(id, surroundings, (ticket) => ({ account: ticket, name: ticket }))
    this.#nodes.set(id, { node, clock })
    this.note(`${id} started`)
  }

  /** Resets the links between two hosts, or gives a player another address; what was under way is lost. */
  cut(a: string, b: string): void {
    this.note(`cut ${a} ${b}`)
    this.network.cut(a, b)
    if (!this.#nodes.has(a)) this.datagrams.rebind(a)
  }

  /** Nothing is said, flushed or saved; the node starts again after a while. */
  crash(id: string, downMs: number): void {
    const running = this.#nodes.get(id)
    if (running === undefined) return
    this.#nodes.delete(id)
    running.clock.crash()
    this.network.host(id).abort()
    this.datagrams.crash(id)
    this.note(`${id} crashed`)
    this.clock.setTimer(downMs, () => void this.startNode(id, running.node.role))
  }

  client(name: string): Client {
    const gates = gateUrls(this.line)
    return new Client({
      transports: [this.#players(name)],
      // Each player begins with another gate than the one before.
      gates: this.#clients++ % 2 === 0 ? gates : gates.toReversed(),
      ticket: name,
      clock: this.clock,
      random: this.random.fork(),
    })
  }

  /** What a host has between players and gates. */
  #players(host: string): Transport {
    return this.line === 'sim'
      ? this.network.host(host)
      : kcp({ openSocket: this.datagrams.host(host) })
  }

  /** Roots that more than one living node may act for at this moment. */
  rootsWithTwoOwners(): string[] {
    const owners = new Map<string, number>()
    for (const { cluster } of this.nodes) {
      for (const { type, id, heldUntil } of cluster?.roots ?? []) {
        if (this.clock.now() < heldUntil)
          owners.set(`${type}/${id}`, (owners.get(`${type}/${id}`) ?? 0) + 1)
      }
    }
    return [...owners].filter(([, count]) => count > 1).map(([root]) => root)
  }

  async stop(): Promise<void> {
    await this.wait(Promise.all(this.nodes.map((node) => node.stop())))
  }
}
