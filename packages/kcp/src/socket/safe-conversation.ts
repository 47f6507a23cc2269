import { KcpError } from '../errors.ts'
import type { DatagramCipher } from './cipher.ts'
import { KCP_CLOSE } from './close-codes.ts'
import { checkBytes, Conversation } from './conversation.ts'
import {
  CLOSE_FLAG_RESET,
  HEADER_BYTES,
  KIND,
  MAX_REASON_BYTES,
  readCounter,
  readU16,
  readU32,
  writeHeader,
  writeU16,
  writeU32,
} from './datagram.ts'
import type { Endpoint } from './endpoint.ts'
import { Halves } from './halves.ts'
import { Liveness } from './liveness.ts'
import { MtuProber } from './mtu-prober.ts'
import { BASE_DATAGRAM_BYTES } from './options.ts'
import { CHALLENGE_BYTES, PathChallenge } from './path-challenge.ts'
import { ReplayWindow } from './replay-window.ts'

/** A session of a client that never says anything after ACCEPT ends. */
const EMBRYO_MS = 5000
const RESET_COPIES = 3
/** Counters are 48 bits; a session that comes near ends. */
const LAST_COUNTER = 2 ** 48 - 1024
/** Who was told that a window is closed asks at least so often whether it still is. */
const PROBE_LIMIT_MS = 2000
const MAX_DEAD_LINK_MS = 2 ** 30

/** The books a conversation is on. */
export interface Registry {
  /** The first authentic datagram of the other end has come. */
  onEstablished(conversation: SafeConversation): void
  onLeave(conversation: SafeConversation): void
  /** An authentic datagram has come. */
  onHeard?(conversation: SafeConversation): void
  /** It leaves this address for another. */
  onMoving?(address: string, port: number): void
  /** A client's: it asks again, as what it asked before was not answered. */
  onUnanswered?(conversation: SafeConversation): void
}

export interface SafeConversationInit {
  readonly conv: number
  readonly address: string
  readonly port: number
  readonly cipher: DatagramCipher
  readonly isClient: boolean
  /** Of the other end. */
  readonly window: number
  readonly idleTimeoutMs: number
  /** What a listener says of itself when it is busy. */
  readonly maxAckDelayMs?: number
}

/**
 * A conversation with sealed datagrams: it proves who sent them, follows the other end to new addresses,
 * notices when it is gone, and finds out what the path carries.
 */
export class SafeConversation extends Conversation {
  readonly #registry: Registry
  readonly #cipher: DatagramCipher
  readonly #isClient: boolean
  /** A client's: a listener only listens. */
  readonly #liveness: Liveness | undefined
  readonly #idleTimeoutMs: number
  readonly #replay = new ReplayWindow()
  #counter = 1
  #isEstablished = false
  #path: PathChallenge | undefined
  #prober: MtuProber | undefined
  #halves: Halves | undefined
  #isCloseHeard = false
  /** The address whose limits count it: the one it began with. */
  readonly firstAddress: string
  migrations = 0
  /** For `Shelters`. */
  shelterFlood = 0

  constructor(endpoint: Endpoint, registry: Registry, init: SafeConversationInit, nowMs: number) {
    const { conv, address, port, cipher, isClient, window, idleTimeoutMs } = init
    const mtu = BASE_DATAGRAM_BYTES - HEADER_BYTES - cipher.overheadBytes
    super(
      endpoint,
      conv,
      { address, port },
      'frames',
      {
        mtu,
        headroomBytes: HEADER_BYTES,
        tailroomBytes: cipher.overheadBytes,
        peerRcvWnd: Math.min(window, 32_767),
        // Being heard is what counts; this one ends a session whose other end answers, but acknowledges nothing.
        deadLinkMs: Math.min(Math.max(30_000, idleTimeoutMs), MAX_DEAD_LINK_MS),
        probeLimitMs: PROBE_LIMIT_MS,
      },
      nowMs,
    )
    this.#registry = registry
    this.firstAddress = address
    this.#cipher = cipher
    this.#isClient = isClient
    this.maxAckDelayMs = init.maxAckDelayMs ?? 0
    this.#idleTimeoutMs = idleTimeoutMs
    const keepaliveMs = Math.min(endpoint.options.keepaliveMs, Math.floor(idleTimeoutMs / 2))
    this.#liveness = isClient ? new Liveness(keepaliveMs) : undefined
  }

  get maxUnreliableBytes(): number {
    return this.#pathBytes - HEADER_BYTES - this.#cipher.overheadBytes
  }

  /** Datagrams up to here go whole. */
  get #pathBytes(): number {
    return this.#prober?.bytes ?? BASE_DATAGRAM_BYTES
  }

  get isEstablished(): boolean {
    return this.#isEstablished
  }

  /** What is left of the handshake: a client shows that it has the keys. */
  start(nowMs: number): void {
    if (this.#isClient) this.#ping(nowMs)
    this.plan(nowMs)
  }

  sendUnreliable(message: Uint8Array): boolean {
    checkBytes(message)
    if (this.state !== 'open' || message.length > this.maxUnreliableBytes) return false
    this.endpoint.control.set(message, HEADER_BYTES)
    this.#sendControl(KIND.unreliable, message.length)
    return true
  }

  destroy(code: number, reason: string, error: KcpError): void {
    if (this.isOver()) return
    if (!this.isClosedByPeer) this.#reset()
    this.finish({ code, reason, by: 'local', error })
  }

  /** For a client's socket: the system says that nobody listens at the other end, a process that died as a rule. */
  refused(nowMs: number): void {
    if (this.isOver()) return
    this.#liveness?.refused(nowMs)
    this.plan(nowMs)
  }

  /** For the endpoint: a sealed datagram for this `conv`. Any bytes may come. */
  handle(bytes: Uint8Array, address: string, port: number): void {
    const { endpoint } = this
    const bodyStart = HEADER_BYTES
    if (bytes.length < bodyStart + this.#cipher.overheadBytes) {
      endpoint.drop('tooShort')
      return
    }
    const counter = readCounter(bytes)
    const replay = this.#replay
    if (!replay.isFresh(counter)) {
      endpoint.drop('replayed')
      return
    }
    const end = this.#cipher.open(bytes, 0, bodyStart, bytes.length, counter)
    if (end < 0) {
      endpoint.drop('notAuthentic')
      return
    }
    const isNewest = counter > replay.highest
    replay.mark(counter)
    const nowMs = endpoint.now()
    this.lastHeardMs = nowMs
    this.#liveness?.heard()
    this.#registry.onHeard?.(this)
    if (!this.#isEstablished) {
      this.#isEstablished = true
      this.#registry.onEstablished(this)
      if (this.isOver()) return
    }
    if (isNewest && !this.#isClient && !this.#isAt({ address, port }))
      this.#challenge(address, port, bytes.length, nowMs)
    if (!this.#apply(bytes[0]!, bytes, bodyStart, end, { address, port }, nowMs))
      endpoint.drop('malformed')
    if (!this.isOver() && !this.isDirty) this.plan(nowMs)
  }

  protected transmit(bytes: Uint8Array, offset: number, length: number): void {
    const overhead = HEADER_BYTES + this.#cipher.overheadBytes
    if (length + overhead > this.#pathBytes) {
      this.#transmitInHalves(bytes, offset, length)
      return
    }
    const from = offset - HEADER_BYTES
    const counter = this.#counter++
    // One that closes waits for its acknowledgements.
    const isUnhurried = this.endpoint.ackDelayMs > 0 && this.ownClose === undefined
    const kind = isUnhurried ? KIND.kcpUnhurried : KIND.kcp
    writeHeader(bytes, from, kind, this.kcp.conv, counter)
    const end = this.#cipher.seal(bytes, from, offset, offset + length, counter)
    this.endpoint.send(bytes, from, end, this.address, this.port)
    this.lastSentMs = this.endpoint.now()
    if (this.kcp.waitSnd > 0) this.#liveness?.said(this.lastSentMs)
    if (length + overhead + 64 > this.#pathBytes) this.#wantLarger()
  }

  protected onTick(nowMs: number): void {
    const silentMs = nowMs - this.lastHeardMs
    if (!this.#isEstablished && !this.#isClient && silentMs >= EMBRYO_MS) {
      this.finish({ code: KCP_CLOSE.lost, reason: 'the client said nothing', by: 'network' })
      return
    }
    if (silentMs >= this.#idleTimeoutMs || this.#counter > LAST_COUNTER) {
      const reason = `nothing was heard for ${Math.round(silentMs)} ms`
      this.#reset()
      const error = new KcpError('KCP_TIMEOUT', reason)
      this.finish({ code: KCP_CLOSE.lost, reason, by: 'network', error })
      return
    }
    if (nowMs >= this.#refusalDueMs()) {
      if (this.ownClose?.isTold === true) {
        this.finish(this.ownClose.info)
        return
      }
      const reason = 'nobody listens at the other end any more'
      const error = new KcpError('KCP_RESET', reason)
      this.finish({ code: KCP_CLOSE.lost, reason, by: 'network', error })
      return
    }
    this.#goOnClosing(nowMs)
    if (this.isOver()) return
    if (nowMs >= this.#pingDueMs()) this.#ping(nowMs)
    this.#goOnChallenging(nowMs)
    this.#probe(nowMs)
    this.#watchForBlackHole(nowMs)
  }

  protected onFlushed(nowMs: number): void {
    // A close is begun by the flush that finds everything delivered.
    if (this.ownClose?.isTold === false) this.#goOnClosing(nowMs)
  }

  protected nextDueMs(nowMs: number): number {
    const patience = this.#isEstablished || this.#isClient ? this.#idleTimeoutMs : EMBRYO_MS
    let due = Math.min(this.lastHeardMs + patience, this.#pingDueMs(), this.#refusalDueMs())
    if (this.ownClose !== undefined) due = Math.min(due, this.ownClose.dueMs)
    if (this.#path !== undefined) due = Math.min(due, this.#path.dueMs)
    if (this.#prober !== undefined)
      due = Math.min(due, this.#prober.nextDueMs(this.kcp.waitSnd > 0, nowMs))
    return due
  }

  protected leave(): void {
    this.#path = undefined
    this.#halves = undefined
    this.#registry.onLeave(this)
  }

  #apply(
    kind: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    from: { readonly address: string; readonly port: number },
    nowMs: number,
  ): boolean {
    const length = end - start
    switch (kind) {
      case KIND.kcp:
      case KIND.kcpUnhurried:
        this.#liveness?.heardOwner(nowMs)
        return this.take(bytes, start, length, nowMs, kind === KIND.kcpUnhurried) >= 0
      case KIND.unreliable:
        this.#liveness?.heardOwner(nowMs)
        if (this.state === 'open') this.owner?.onUnreliable(bytes.subarray(start, end))
        return true
      case KIND.part:
        return this.#takeHalf(bytes, start, end, nowMs)
      case KIND.ping:
        if (length < 4) return false
        // Who asks from an address that is not proven gets a challenge instead, which is to be answered from there.
        if (!this.#isClient && !this.#isAt(from)) return true
        // The same bytes back: the token.
        this.endpoint.control.set(bytes.subarray(start, start + 4), HEADER_BYTES)
        this.#sendControl(KIND.pong, 4, from.address, from.port)
        return true
      case KIND.pong:
        if (length !== 4) return false
        this.#takePong(readU32(bytes, start), nowMs)
        return true
      case KIND.pathChallenge:
        if (length !== CHALLENGE_BYTES) return false
        // Until the other end says something here, whether it got the answer is to be asked.
        this.#liveness?.heardOwner(nowMs)
        this.endpoint.control.set(bytes.subarray(start, end), HEADER_BYTES)
        this.#sendControl(KIND.pathResponse, CHALLENGE_BYTES, from.address, from.port)
        return true
      case KIND.pathResponse:
        if (length !== CHALLENGE_BYTES) return false
        this.#takePathResponse(bytes.subarray(start, end), from.address, from.port, nowMs)
        return true
      case KIND.close:
        if (length < 3) return false
        this.#takeClose(bytes, start, Math.min(end, start + 3 + MAX_REASON_BYTES), nowMs)
        return true
      case KIND.closed:
        if (this.ownClose?.isTold === true) this.finish(this.ownClose.info)
        return true
      default:
        return false
    }
  }

  /** It is the address of the other end, as far as is known. */
  #isAt({ address, port }: { readonly address: string; readonly port: number }): boolean {
    return port === this.port && address === this.address
  }

  /** Seals and sends what stands in the control buffer behind the header. */
  #sendControl(
    kind: number,
    length: number,
    address: string = this.address,
    port: number = this.port,
  ): void {
    const { control } = this.endpoint
    const end = this.#sealControl(kind, length)
    this.endpoint.send(control, 0, end, address, port)
    this.lastSentMs = this.endpoint.now()
  }

  #sealControl(kind: number, length: number): number {
    const { control } = this.endpoint
    const counter = this.#counter++
    writeHeader(control, 0, kind, this.kcp.conv, counter)
    return this.#cipher.seal(control, 0, HEADER_BYTES, HEADER_BYTES + length, counter)
  }

  #transmitInHalves(bytes: Uint8Array, offset: number, length: number): void {
    const { control } = this.endpoint
    const halves = (this.#halves ??= new Halves())
    halves.begin()
    for (const index of [0, 1] as const)
      this.#sendControl(
        KIND.part,
        halves.write(control, HEADER_BYTES, index, bytes, offset, length),
      )
  }

  #takeHalf(bytes: Uint8Array, start: number, end: number, nowMs: number): boolean {
    const whole = (this.#halves ??= new Halves()).take(bytes, start, end)
    if (whole === 'malformed') return false
    return whole === undefined || this.take(whole, 0, whole.length, nowMs) >= 0
  }

  #pingDueMs(): number {
    const { lastHeardMs, lastSentMs } = this
    return this.#liveness?.pingDueMs(this.#isEstablished, lastHeardMs, lastSentMs) ?? Infinity
  }

  #refusalDueMs(): number {
    return this.#liveness?.refusalDueMs(this.kcp) ?? Infinity
  }

  #ping(nowMs: number): void {
    const isUnanswered = this.#liveness?.asked(nowMs) === true
    if (isUnanswered && this.#isEstablished) this.#registry.onUnanswered?.(this)
    // As long as the challenge it may lead to, when it comes from a new address.
    this.endpoint.control.fill(0, HEADER_BYTES, HEADER_BYTES + CHALLENGE_BYTES)
    this.#sendControl(KIND.ping, CHALLENGE_BYTES)
  }

  /** Data fills the datagrams: it is worth knowing whether larger ones get through. */
  #wantLarger(): void {
    if (this.#prober !== undefined || !this.#isEstablished) return
    const { maxDatagramBytes } = this.endpoint.options
    if (maxDatagramBytes <= BASE_DATAGRAM_BYTES) return
    this.#prober = new MtuProber(BASE_DATAGRAM_BYTES, maxDatagramBytes, this.endpoint.now())
  }

  #probe(nowMs: number): void {
    const size = this.#prober?.probe(nowMs)
    if (size === undefined) return
    const { control } = this.endpoint
    const length = size - HEADER_BYTES - this.#cipher.overheadBytes
    control.fill(0, HEADER_BYTES, HEADER_BYTES + length)
    writeU32(control, HEADER_BYTES, size)
    this.#sendControl(KIND.ping, length)
  }

  #takePong(token: number, nowMs: number): void {
    if (token !== 0) {
      if (this.#prober?.confirm(token, nowMs) === true) this.#fitKcp()
    } else this.#liveness?.answered(nowMs)
  }

  #fitKcp(): void {
    // Not taken while larger segments are in flight; those go in parts until then.
    this.kcp.setMtu(this.maxUnreliableBytes)
  }

  #watchForBlackHole(nowMs: number): void {
    if (this.#prober === undefined) return
    const isFine = this.#prober.watch(this.kcp, nowMs)
    if (!isFine || this.kcp.mtu > this.maxUnreliableBytes) this.#fitKcp()
  }

  /** An authentic datagram came from somewhere else. Whoever is there must show that it can receive there too. */
  #challenge(address: string, port: number, receivedBytes: number, nowMs: number): void {
    if (this.#path?.isFor(address, port) === true) return
    if (receivedBytes < HEADER_BYTES + CHALLENGE_BYTES + this.#cipher.overheadBytes) return
    const challenge = this.endpoint.random(CHALLENGE_BYTES)
    this.#path = new PathChallenge(address, port, challenge, nowMs)
    this.#goOnChallenging(nowMs)
  }

  #goOnChallenging(nowMs: number): void {
    const path = this.#path
    if (path === undefined || nowMs < path.dueMs) return
    if (!path.tryAgain(nowMs)) {
      this.#path = undefined
      return
    }
    this.endpoint.control.set(path.bytes, HEADER_BYTES)
    this.#sendControl(KIND.pathChallenge, CHALLENGE_BYTES, path.address, path.port)
  }

  #takePathResponse(response: Uint8Array, address: string, port: number, nowMs: number): void {
    const path = this.#path
    if (path?.isFor(address, port) !== true || !path.isAnsweredBy(response)) return
    this.#path = undefined
    // Another port alone is a NAT that forgot, and the path as it was.
    if (address !== this.address) this.kcp.resetPath(nowMs)
    this.kcp.resendSoon(nowMs)
    this.#registry.onMoving?.(this.address, this.port)
    this.shelterFlood = 0
    this.address = address
    this.port = port
    this.migrations += 1
    this.endpoint.counters.migrations += 1
    this.#prober?.reset(nowMs)
    this.#fitKcp()
    this.owner?.onMigrated()
    this.endpoint.turns.flushSoon(this)
  }

  #goOnClosing(nowMs: number): void {
    const close = this.ownClose
    if (close === undefined) return
    if (close.next(this.isDelivered, nowMs) === 'tell') {
      this.#sendControl(KIND.close, this.#writeClose(0, close.info.code, close.info.reason))
      close.told(nowMs, this.kcp.rxRto)
    }
    const step = close.next(this.isDelivered, nowMs)
    if (step === 'giveUp') {
      this.#reset()
      this.finish(close.undelivered())
    } else if (step === 'end') this.finish(close.info)
  }

  #takeClose(bytes: Uint8Array, start: number, end: number, nowMs: number): void {
    this.#isCloseHeard = true
    if ((bytes[start]! & CLOSE_FLAG_RESET) !== 0) {
      if (this.isClosedByPeer) return
      const error = new KcpError('KCP_RESET', 'the other end reset the session')
      this.finish({ code: KCP_CLOSE.lost, reason: error.message, by: 'peer', error })
      return
    }
    this.#sendControl(KIND.closed, 0)
    if (this.isClosedByPeer) return
    const { ownClose } = this
    if (ownClose !== undefined) {
      const why = 'the other end closed first'
      this.finish(this.isDelivered ? ownClose.info : ownClose.undelivered(why))
      return
    }
    // All of the other end's data is here already.
    const code = readU16(bytes, start + 1)
    const reason = new TextDecoder().decode(bytes.subarray(start + 3, end))
    this.closedByPeer({ code, reason, by: 'peer' }, nowMs)
  }

  /** The last word, as often as it takes for one to arrive. */
  #reset(): void {
    for (let copy = 0; copy < RESET_COPIES; copy += 1)
      this.#sendControl(KIND.close, this.#writeClose(CLOSE_FLAG_RESET, KCP_CLOSE.lost, ''))
  }

  #writeClose(flags: number, code: number, reason: string): number {
    const { control } = this.endpoint
    control[HEADER_BYTES] = flags
    writeU16(control, HEADER_BYTES + 1, code)
    const room = control.subarray(HEADER_BYTES + 3, HEADER_BYTES + 3 + MAX_REASON_BYTES)
    return 3 + new TextEncoder().encodeInto(reason, room).written
  }

  /** What to answer to late datagrams of this conversation once it is over. */
  lastWord(): Uint8Array {
    const isCloseHeard = this.#isCloseHeard
    const length = isCloseHeard ? 0 : this.#writeClose(CLOSE_FLAG_RESET, KCP_CLOSE.lost, '')
    const end = this.#sealControl(isCloseHeard ? KIND.closed : KIND.close, length)
    return this.endpoint.control.slice(0, end)
  }
}
