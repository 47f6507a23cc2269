import { EventEmitter } from 'node:events'
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { MemoryBackend, type Backend } from '@rts/discovery'
import { systemClock, systemRandom, type Transport } from '@rts/rpc'
import { kcp } from '@rts/rpc/kcp'
import { tcp } from '@rts/rpc/tcp'
import { ws } from '@rts/rpc/ws'
import { SqliteStore, type EntityStore } from '@rts/store'
import { CrashableClock } from '@rts/testing'
import type { ArenaNode, Logger, Surroundings } from './arena-node.ts'
import type { ArenaConfig, Role } from './config.ts'
import { startNodeOfRole } from './roles.ts'

const RESTART_MS = 300
/** All bots of a demo come from one address; in the open, the defaults are better. */
const BOTS_FROM_ONE_ADDRESS = { maxSessionsPerAddress: 4096, maxHandshakesPerSecond: 1000 }

interface Running {
  readonly node: ArenaNode
  readonly clock: CrashableClock
  readonly transports: readonly Transport[]
}

/** The whole arena in one process: every node on real sockets, the registry in memory, the store in one SQLite file. */
export class Arena extends EventEmitter<{ changed: [] }> {
  readonly #config: ArenaConfig
  readonly #logger: Logger
  readonly #backend: Backend
  readonly #running = new Map<string, Running>()
  #store: EntityStore | undefined
  readonly #codeVersion: (() => number) | undefined
  #stopping = false

  /** @param codeVersion - The version of the game's code, where it can be reloaded. */
  constructor(config: ArenaConfig, logger: Logger, codeVersion?: () => number) {
    super()
    this.#codeVersion = codeVersion
    this.#config = config
    this.#logger = logger
    // The store outlives this process and remembers fences, so they must grow over restarts.
    this.#backend = new MemoryBackend({ clock: systemClock, firstRevision: systemClock.wall() })
  }

  /** The nodes in the order of the configuration; one that is down is undefined. */
  get nodes(): readonly { id: string; role: Role; node: ArenaNode | undefined }[] {
    return this.#config.nodes.map(({ id, role }) => ({
      id,
      role,
      node: this.#running.get(id)?.node,
    }))
  }

  /** Where the page and the login are. */
  get loginUrl(): string {
    return this.nodes.find(({ role }) => role === 'http')?.node?.addresses[0] ?? ''
  }

  /** @throws the error of the first node that cannot start, after the others were stopped. */
  async start(): Promise<void> {
    const { file } = this.#config.store
    if (file !== ':memory:') mkdirSync(dirname(file), { recursive: true })
    this.#store = await new SqliteStore({ file: file }).open()
    try {
      for (const { id } of this.#config.nodes) await this.#startNode(id)
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  /** Takes a node's sockets and timers away, as `kill -9` would, and starts it again. */
  async crash(id: string): Promise<void> {
    const running = this.#running.get(id)
    if (running === undefined) return
    this.#running.delete(id)
    running.clock.crash()
    for (const transport of running.transports) transport.abort?.()
    this.emit('changed')
    await new Promise<void>((resolve) => void systemClock.setTimer(RESTART_MS, resolve))
    if (!this.#stopping) await this.#startNode(id)
  }

  /** Stops gates first, so that players are told, then the rest; the store closes when all have saved. */
  async stop(): Promise<void> {
    this.#stopping = true
    const order: readonly Role[] = ['http', 'gate', 'game', 'lobby']
    for (const role of order) {
      const nodes = [...this.#running.values()].filter(({ node }) => node.role === role)
      await Promise.all(nodes.map(({ node }) => node.stop()))
    }
    this.#running.clear()
    await this.#store?.close()
  }

  async #startNode(id: string): Promise<void> {
    const role = this.#config.nodes.find((node) => node.id === id)?.role
    const store = this.#store
    if (role === undefined || store === undefined)
      throw new RangeError(`"${id}" cannot start: not in the configuration, or too early`)
    const clock = new CrashableClock(systemClock)
    const { listen } = this.#config
    const between = [tcp()]
    const toPlayers = [tcp(), kcp(BOTS_FROM_ONE_ADDRESS), ws()]
    const surroundings: Surroundings = {
      config: this.#config,
      clock,
      random: systemRandom,
      logger: this.#logger,
      backend: this.#backend,
      store,
      ...(this.#codeVersion !== undefined && { codeVersion: this.#codeVersion }),
      servers: { transports: between, listen: listen.servers },
      players: { transports: toPlayers, listen: [listen.tcp, listen.ws] },
    }
    const node = await startNodeOfRole(role, id, surroundings)
    this.#running.set(id, { node, clock, transports: [...between, ...toPlayers] })
    this.emit('changed')
  }
}
