// A cluster in one process under a seed: links are cut, stalled and go silent, nodes die and come back, and every call is followed.
import { seededRandom, SteppedClock, type SeededRandom } from '@rts/testing'
import { RpcNode, withCall, type RpcPeer, type RpcTable } from '../../src/index.ts'
import { SimNetwork } from '../../src/sim.ts'
import { Tally, type ChaosResult } from './tally.ts'

const SERVERS = ['s0', 's1', 's2'] as const
const CLIENTS = ['c0', 'c1'] as const
const ENTITIES = 8
const TICK_MS = 5
const URL = (server: string): string => `sim://${server}:1`
const answerOf = (token: number): number => token * 3 + 1

class Work {
  static readonly rpc = {
    echo: 'server',
    later: 'server',
    relay: 'server',
    sum: 'server',
  } as const satisfies RpcTable<Work>
  readonly #run: SimRun
  readonly #node: RpcNode

  constructor(run: SimRun, node: RpcNode) {
    this.#run = run
    this.#node = node
  }
  echo(token: number): number {
    this.#run.tally.executed(token)
    return answerOf(token)
  }
  async later(token: number, ms: number): Promise<number> {
    this.#run.tally.executed(token)
    await this.#run.sleep(ms)
    return answerOf(token)
  }
  async relay(token: number, to: string): Promise<number> {
    return this.#node.at<typeof Work>(URL(to), 'work').echo(token)
  }
  async sum(token: number, numbers: AsyncIterable<number>): Promise<number> {
    this.#run.tally.executed(token)
    let sum = 0
    for await (const number of numbers) sum += number
    return sum === 6 ? answerOf(token) : Number.NaN
  }
}

class Hero {
  static readonly rpc = { act: 'server' } as const satisfies RpcTable<Hero>
  readonly #run: SimRun
  #isActing = false

  constructor(run: SimRun) {
    this.#run = run
  }
  async act(token: number, ms: number): Promise<number> {
    if (this.#isActing) throw new Error('two at a time')
    this.#isActing = true
    this.#run.tally.executed(token)
    if (ms > 0) await this.#run.sleep(ms)
    this.#isActing = false
    return answerOf(token)
  }
}

const pairOf = (a: string, b: string): string => [a, b].sort().join(' ')

async function* threeNumbers(): AsyncGenerator<number> {
  yield 1
  yield 2
  yield 3
}

class SimRun {
  readonly tally: Tally
  readonly clock: SteppedClock = new SteppedClock()
  readonly #random: SeededRandom
  readonly #network: SimNetwork
  readonly #nodes = new Map<string, RpcNode>()
  /** By client and server: the link that calls go by now, and the calls that wait on it. */
  readonly #open = new Map<string, RpcPeer>()
  readonly #waiting = new Map<RpcPeer, Set<number>>()
  /** When a link was told to break, and how. */
  readonly #broken = new Map<string, { readonly at: number; readonly isSilent: boolean }>()
  readonly #silentUntil = new Map<string, number>()
  readonly #down = new Set<string>()
  readonly #total: number
  #nextToken = 0

  constructor(seed: number, calls: number) {
    this.#total = calls
    this.tally = new Tally(calls, true)
    this.#random = seededRandom(seed)
    const { clock } = this
    const random = this.#random
    this.#network = new SimNetwork({ clock, random, delayMs: 2, jitterMs: 3 })
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.clock.setTimer(ms, resolve))
  }

  async run(callsPerTick: number): Promise<ChaosResult> {
    for (const name of SERVERS) await this.#start(name)
    for (const name of CLIENTS) await this.#start(name)
    let faultAt = 0
    while (this.#nextToken < this.#total) {
      if (this.clock.now() >= faultAt) {
        this.#fault()
        faultAt = this.clock.now() + 50 + this.#random.int(250)
      }
      const count = Math.min(callsPerTick, this.#total - this.#nextToken)
      for (let i = 0; i < count; i++) this.#call()
      await this.clock.advance(TICK_MS)
    }
    // Every deadline is over by then, and so is every fault.
    await this.clock.advance(15_000)
    for (const [name, node] of this.#nodes) {
      const { pendingCalls, runningCalls, waitingCalls, openStreams } = node.stats()
      const left = pendingCalls + runningCalls + waitingCalls + openStreams
      if (left > 0) throw new Error(`${name} keeps ${JSON.stringify(node.stats())}`)
    }
    await Promise.all([
      ...[...this.#nodes.values()].map((node) => node.close()),
      this.clock.advance(3000),
    ])
    return this.tally.result()
  }

  async #start(name: string): Promise<void> {
    const node = new RpcNode({
      id: name,
      transports: [this.#network.host(name)],
      trustLoopback: true,
      clock: this.clock,
      random: this.#random,
      connectTimeoutMs: 1000,
      closeTimeoutMs: 0,
    })
    this.#nodes.set(name, node)
    if (name.startsWith('s')) {
      node.expose('work', new Work(this, node))
      for (let i = 0; i < ENTITIES; i++) node.serve(`${name}/${i}`, new Hero(this))
      await node.listen(URL(name))
    } else {
      node.onPeer((peer) => this.#opened(name, peer))
    }
  }

  #opened(client: string, peer: RpcPeer): void {
    const pair = `${client} ${peer.nodeId}`
    const waiting = new Set<number>()
    this.#open.set(pair, peer)
    this.#waiting.set(peer, waiting)
    this.#broken.delete(pair)
    peer.on('closed', () => {
      if (this.#open.get(pair) === peer) this.#open.delete(pair)
      const closedAt = this.clock.now()
      const broken = this.#broken.get(pair)
      this.#broken.delete(pair)
      const from = broken?.at ?? closedAt
      const check = (): void => {
        this.#waiting.delete(peer)
        const took = (waiting.size === 0 ? closedAt : Number.POSITIVE_INFINITY) - from
        if (broken?.isSilent === true) {
          this.tally.slowestSilenceMs = Math.max(this.tally.slowestSilenceMs, took)
        } else this.tally.slowestResetMs = Math.max(this.tally.slowestResetMs, took)
      }
      // The calls end with the link: by the next turn at the latest.
      this.clock.setTimer(0, check)
    })
  }

  #call(): void {
    const random = this.#random
    const token = this.#nextToken++
    const client = CLIENTS[random.int(CLIENTS.length)]!
    const server = SERVERS[random.int(SERVERS.length)]!
    const node = this.#nodes.get(client)!
    const kind = random.int(20)
    const options = { timeoutMs: 50 + random.int(2950) }
    const work = withCall(node.at<typeof Work>(URL(server), 'work'), options)
    const peer = this.#open.get(`${client} ${server}`)
    let promise: Promise<unknown>
    if (kind < 8) promise = work.echo(token)
    else if (kind < 10) promise = work.later(token, random.int(400))
    else if (kind < 12) promise = work.relay(token, SERVERS[random.int(SERVERS.length)]!)
    else if (kind < 13) promise = work.sum(token, threeNumbers())
    else if (kind < 14) {
      const controller = new AbortController()
      this.clock.setTimer(random.int(200), () => controller.abort(new Error('aborted')))
      promise = withCall(work, { ...options, signal: controller.signal }).later(token, 300)
    } else {
      const hero = node.entityAt<typeof Hero>(URL(server), `${server}/${random.int(ENTITIES)}`)
      promise = withCall(hero, options).act(token, random.int(10) === 0 ? random.int(20) : 0)
    }
    const waiting = peer?.isOpen === true ? this.#waiting.get(peer) : undefined
    waiting?.add(token)
    this.tally.follow(token, promise, answerOf(token), () => waiting?.delete(token))
  }

  #fault(): void {
    const random = this.#random
    const server = SERVERS[random.int(SERVERS.length)]!
    const others = [...CLIENTS, ...SERVERS].filter((name) => name !== server)
    const other = others[random.int(others.length)]!
    const network = this.#network
    const kind = random.int(10)
    if (kind < 5) {
      this.tally.fault('cut')
      this.#breaks(other, server, false)
      network.cut(other, server)
    } else if (kind < 7) {
      this.tally.fault('stall')
      const ms = 20 + random.int(1500)
      network.stall(other, server, true)
      this.clock.setTimer(ms, () => network.stall(other, server, false))
    } else if (kind < 9) {
      this.tally.fault('half-open')
      const isSilent = random.int(2) === 0
      const ms = isSilent ? 3500 + random.int(2000) : random.int(1500)
      if (isSilent) this.#breaks(other, server, true)
      network.partition(other, server, true, { oneWay: !isSilent && random.int(2) === 0 })
      const pair = pairOf(other, server)
      const until = this.clock.now() + ms
      this.#silentUntil.set(pair, Math.max(this.#silentUntil.get(pair) ?? 0, until))
      this.clock.setTimer(ms, () => {
        // Another one on the same pair may last longer.
        if (!this.#isSilent(other, server)) network.partition(other, server, false)
      })
    } else if (!this.#down.has(server)) {
      this.tally.fault('kill')
      this.#down.add(server)
      // What nothing gets through to does not hear of it.
      for (const client of CLIENTS) {
        if (!this.#isSilent(client, server)) this.#breaks(client, server, false)
      }
      const killed = this.#nodes.get(server)!
      this.#network.host(server).abort()
      // A process that is gone says nothing more; here its timers have to be stopped.
      void killed.close()
      this.clock.setTimer(100 + random.int(900), () => {
        this.#down.delete(server)
        void this.#start(server)
      })
    }
  }

  #isSilent(a: string, b: string): boolean {
    return (this.#silentUntil.get(pairOf(a, b)) ?? 0) > this.clock.now()
  }

  #breaks(client: string, server: string, isSilent: boolean): void {
    const pair = `${client} ${server}`
    if (this.#open.get(pair)?.isOpen !== true || this.#broken.has(pair)) return
    this.#broken.set(pair, { at: this.clock.now(), isSilent })
  }
}

export const simChaos = (seed: number, calls: number, callsPerTick = 50): Promise<ChaosResult> =>
  new SimRun(seed, calls).run(callsPerTick)
