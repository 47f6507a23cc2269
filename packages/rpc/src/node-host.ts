import type { CallTarget } from './call-target.ts'
import type { Clock } from './clock.ts'
import { FrameIds } from './chain.ts'
import { trustedDecoder, untrustedDecoder } from './codec.ts'
import { Counters } from './counters.ts'
import { DeadlockWatch } from './deadlock-watch.ts'
import { DeadlineWheel } from './deadline-wheel.ts'
import type { ExposedMethod } from './exposure.ts'
import type { IncomingCall } from './incoming-call.ts'
import type { Link } from './link.ts'
import { silentLogger, type Logger } from './logger.ts'
import type { Turns } from './mailbox.ts'
import { GatedTurns, MethodGate } from './method-gate.ts'
import { positive } from './options.ts'
import type { Passing, PassingEnd } from './passing.ts'
import { makePeer, type PeerFacts, type RpcPeer } from './peer.ts'
import type { AroundHandler, Beat, Dispatch, Exposed, PeerHost, Served } from './peer-host.ts'
import type { Random } from './random.ts'
import type { RetryHost } from './retrying-target.ts'
import { TurnClock } from './turn-clock.ts'
import { DECODE_LIMITS, DIALLED_DECODE_LIMITS, type DecodeLimits } from './decode-limits.ts'

export type VirtualLinkHandler = (link: Link, meta: unknown, peer: RpcPeer) => void

interface NodeHostOptions {
  readonly id: string
  readonly defaultTimeoutMs?: number
  readonly maxPendingPerPeer?: number
  readonly maxRunningPerPlayer?: number
  readonly maxRunningPerServer?: number
  readonly maxWaitingPerObject?: number
  readonly playerLimits?: Partial<DecodeLimits>
  readonly beforeDispatch?: (call: Dispatch) => void
  readonly beat?: Beat
  readonly logger?: Logger
}

/** What peers need of their node. */
export class NodeHost implements PeerHost {
  readonly clock: Clock
  readonly logger: Logger
  readonly wheel: DeadlineWheel
  readonly turn: TurnClock
  readonly counters: Counters = new Counters()
  readonly decoders: PeerHost['decoders']
  readonly services: Map<string, Exposed> = new Map()
  readonly entities: Map<string, Served> = new Map()
  readonly peers: Set<RpcPeer> = new Set()
  readonly defaultTimeoutMs: number
  readonly maxPending: number
  readonly maxRunningPerPlayer: number
  readonly maxRunningPerServer: number
  readonly retry: RetryHost
  readonly maxWaitingPerObject: number
  readonly name: string
  readonly frames: FrameIds
  readonly deadlocks: DeadlockWatch
  readonly beforeDispatch: ((call: Dispatch) => void) | undefined
  passingFor: ((end: PassingEnd) => Passing) | undefined
  aroundHandler: AroundHandler | undefined
  intercept: ((target: CallTarget) => CallTarget) | undefined
  readonly beat: Beat | undefined
  virtualLinkHandler: VirtualLinkHandler | undefined
  isDraining = false
  readonly #gates = new WeakMap<ExposedMethod, MethodGate>()
  readonly #onClosed: (peer: RpcPeer) => void

  /** @param epoch - Tells this start of the node from the ones before. */
  constructor(
    epoch: string,
    options: NodeHostOptions,
    clock: Clock,
    random: Random,
    onClosed: (peer: RpcPeer) => void,
  ) {
    this.name = options.id
    this.frames = new FrameIds(`${options.id}\n${epoch}`)
    this.deadlocks = new DeadlockWatch(clock)
    this.clock = clock
    this.logger = options.logger ?? silentLogger
    this.wheel = new DeadlineWheel(clock)
    this.turn = new TurnClock(clock)
    this.defaultTimeoutMs = positive('defaultTimeoutMs', options.defaultTimeoutMs ?? 3000)
    this.maxPending = positive('maxPendingPerPeer', options.maxPendingPerPeer ?? 1_000_000)
    this.maxRunningPerPlayer = positive('maxRunningPerPlayer', options.maxRunningPerPlayer ?? 256)
    this.maxRunningPerServer =
      options.maxRunningPerServer === undefined
        ? Infinity
        : positive('maxRunningPerServer', options.maxRunningPerServer)
    const { counters, defaultTimeoutMs } = this
    this.retry = { clock, random, counters, defaultTimeoutMs }
    this.maxWaitingPerObject = positive('maxWaitingPerObject', options.maxWaitingPerObject ?? 1024)
    this.beforeDispatch = options.beforeDispatch
    this.beat = options.beat
    this.decoders = {
      server: trustedDecoder(),
      dialled: untrustedDecoder(DIALLED_DECODE_LIMITS),
      player: untrustedDecoder({ ...DECODE_LIMITS, ...options.playerLimits }),
    }
    this.#onClosed = onClosed
  }

  gated(method: ExposedMethod, mailbox: Turns<IncomingCall> | undefined): Turns<IncomingCall> {
    let gate = this.#gates.get(method)
    if (gate === undefined) {
      gate = new MethodGate(method.limit!)
      this.#gates.set(method, gate)
    }
    return new GatedTurns(gate, mailbox)
  }

  adopt(link: Link, facts: PeerFacts): RpcPeer {
    const peer = makePeer(this, link, facts)
    this.peers.add(peer)
    return peer
  }

  onPeerClosed(peer: RpcPeer): void {
    this.peers.delete(peer)
    this.#onClosed(peer)
  }

  /** Resolves when no handler runs, or after the timeout. */
  drained(timeoutMs: number): Promise<void> {
    if (this.counters.runningCalls === 0) return Promise.resolve()
    const until = this.clock.now() + timeoutMs
    return new Promise((resolve) => {
      const look = (): void => {
        const wait = until - this.clock.now()
        if (this.counters.runningCalls === 0 || wait <= 0) resolve()
        else this.clock.setTimer(Math.min(wait, 10), look)
      }
      look()
    })
  }
}
