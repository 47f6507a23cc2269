// Calls to a real process through a proxy that cuts, stalls and half-opens links, while the process is killed and comes back.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { seededRandom, TcpFaultProxy, type SeededRandom } from '@rts/testing'
import { RpcNode, systemClock, withCall, type RpcPeer, type RpcStats } from '../../src/index.ts'
import { tcp } from '../../src/tcp.ts'
import { Tally, type ChaosResult } from './tally.ts'
import type { ChaosHero, ChaosWork } from './tcp-chaos-server.ts'

export interface TcpChaosOptions {
  readonly seed: number
  /** How many calls are made; with `durationMs` how many at most. */
  readonly calls: number
  /** Calls that wait at a time. */
  readonly inFlight: number
  /** Between faults: at least, and at most. */
  readonly faultEveryMs: readonly [least: number, most: number]
  /** Ends after that time, however many calls were made. @defaultValue no bound */
  readonly durationMs?: number
  /** Between the calls of one worker. @defaultValue 0 */
  readonly pauseMs?: number
  /** Called between faults, while nothing is broken. */
  readonly onCalm?: () => void
}

const SERVER = fileURLToPath(new URL('tcp-chaos-server.ts', import.meta.url))

const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => void systemClock.setTimer(ms, resolve))

/** One server process on a port that stays the same. */
class ServerProcess {
  #child: ChildProcess | undefined
  port = 0

  async start(): Promise<void> {
    const args = ['--conditions=@rts/source', SERVER, String(this.port)]
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#child = child
    const [line] = (await once(child.stdout!, 'data')) as [Buffer]
    this.port = Number(/:(\d+)\s*$/.exec(line.toString())?.[1])
  }

  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }
}

export class TcpChaos {
  readonly tally: Tally
  readonly #options: TcpChaosOptions
  readonly #random: SeededRandom
  readonly #server = new ServerProcess()
  readonly #waiting = new Map<RpcPeer, Set<number>>()
  #node: RpcNode | undefined
  #peer: RpcPeer | undefined
  /** When links were told to break, while the one that was open has not ended. */
  #broken: { readonly at: number; readonly isSilent: boolean } | undefined
  #nextToken = 0
  #until = Infinity
  #isOver = false

  constructor(options: TcpChaosOptions) {
    this.#options = options
    this.#random = seededRandom(options.seed)
    this.tally = new Tally(options.calls, false)
  }

  stats(): RpcStats | undefined {
    return this.#node?.stats()
  }

  async run(): Promise<ChaosResult> {
    const { durationMs, inFlight } = this.#options
    await this.#server.start()
    await using proxy = await TcpFaultProxy.listen({
      target: { host: '127.0.0.1', port: this.#server.port },
      random: this.#random,
    })
    const node = new RpcNode({
      id: 'client',
      transports: [tcp()],
      trustLoopback: true,
      connectTimeoutMs: 1000,
    })
    this.#node = node
    node.onPeer((peer) => this.#opened(peer))
    if (durationMs !== undefined) this.#until = systemClock.now() + durationMs
    const url = proxy.url()
    await node.connect(url)
    const faults = this.#break(proxy)
    await Promise.all(Array.from({ length: inFlight }, () => this.#work(node, url)))
    this.#isOver = true
    await faults
    const { pendingCalls, openStreams } = node.stats()
    if (pendingCalls + openStreams > 0) throw new Error(`left: ${JSON.stringify(node.stats())}`)
    await node.close()
    await this.#server.kill()
    return this.tally.result()
  }

  #opened(peer: RpcPeer): void {
    const waiting = new Set<number>()
    this.#peer = peer
    this.#waiting.set(peer, waiting)
    this.#broken = undefined
    peer.on('closed', () => {
      if (this.#peer === peer) this.#peer = undefined
      this.#waiting.delete(peer)
      const closedAt = systemClock.now()
      const broken = this.#broken
      this.#broken = undefined
      systemClock.defer(() => {
        const took =
          waiting.size > 0
            ? Infinity
            : systemClock.now() - (broken === undefined ? closedAt : broken.at)
        const { tally } = this
        if (broken?.isSilent === true)
          tally.slowestSilenceMs = Math.max(tally.slowestSilenceMs, took)
        else tally.slowestResetMs = Math.max(tally.slowestResetMs, took)
      })
    })
  }

  async #work(node: RpcNode, url: string): Promise<void> {
    const random = this.#random
    const work = node.at<typeof ChaosWork>(url, 'work')
    while (this.#nextToken < this.#options.calls && systemClock.now() < this.#until) {
      const token = this.#nextToken++
      const kind = random.int(20)
      const options = { timeoutMs: 500 + random.int(4000) }
      const remote = withCall(work, options)
      let promise: Promise<unknown>
      if (kind < 12) promise = remote.echo(token)
      else if (kind < 18) {
        const hero = node.entityAt<typeof ChaosHero>(url, `hero/${random.int(8)}`)
        promise = withCall(hero, options).act(token)
      } else if (kind < 19) promise = remote.later(token, random.int(30))
      else promise = remote.sum(token, threeNumbers())
      const peer = this.#peer
      const waiting = peer?.isOpen === true ? this.#waiting.get(peer) : undefined
      waiting?.add(token)
      this.tally.follow(token, promise, token * 3 + 1, () => waiting?.delete(token))
      try {
        await promise
        if (this.#options.pauseMs !== undefined) await sleep(this.#options.pauseMs)
      } catch {
        // Nobody there at once: a worker that never waits would do nothing else.
        await sleep(5)
      }
    }
  }

  async #break(proxy: TcpFaultProxy): Promise<void> {
    const [least, most] = this.#options.faultEveryMs
    const random = this.#random
    while (!this.#isOver) {
      await sleep(least + random.int(Math.max(1, most - least)))
      if (this.#isOver) return
      const kind = random.int(12)
      if (kind < 5) {
        this.tally.fault('cut')
        this.#breaks(false)
        proxy.cut()
      } else if (kind < 8) {
        this.tally.fault('stall')
        proxy.stall(true)
        await sleep(20 + random.int(400))
        proxy.stall(false)
      } else if (kind < 9) {
        this.tally.fault('half-open')
        this.#breaks(true)
        proxy.stall(true)
        await sleep(3500)
        proxy.cut()
        proxy.stall(false)
      } else if (kind < 10) {
        this.tally.fault('half cut')
        // The client's end hears nothing of it.
        this.#breaks(true)
        proxy.cutHalf('target')
      } else if (kind < 11) {
        this.tally.fault('refused')
        await proxy.refuse(true)
        this.#breaks(false)
        proxy.cut()
        await sleep(random.int(200))
        await proxy.refuse(false)
      } else {
        this.tally.fault('kill')
        // Its links are reset when it is gone, not when it is told to go.
        await this.#server.kill()
        this.#breaks(false)
        await this.#server.start()
      }
      this.#options.onCalm?.()
    }
  }

  #breaks(isSilent: boolean): void {
    if (this.#peer?.isOpen === true) this.#broken ??= { at: systemClock.now(), isSilent }
  }
}

async function* threeNumbers(): AsyncGenerator<number> {
  yield 1
  yield 2
  yield 3
}
