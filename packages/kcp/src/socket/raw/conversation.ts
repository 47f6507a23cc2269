import { KcpError } from '../../errors.ts'
import { KCP_CLOSE } from '../close-codes.ts'
import { Conversation } from '../conversation.ts'
import type { Endpoint } from '../endpoint.ts'
import type { Framing } from '../inbox.ts'
import { EnvelopeWriter, envelopeBytes } from './envelope.ts'
import type { RawOptions } from './options.ts'

/**
 * A conversation with a plain KCP peer: nothing is authenticated, nothing tells that it ends. It ends when
 * nothing was heard for `idleTimeoutMs`, or when KCP gives up.
 */
export class RawConversation extends Conversation {
  readonly #envelope: EnvelopeWriter | undefined
  readonly #onLeave: (conversation: RawConversation) => void

  constructor(
    endpoint: Endpoint,
    conv: number,
    peer: { readonly address: string; readonly port: number },
    raw: RawOptions,
    onLeave: (conversation: RawConversation) => void,
    nowMs: number,
  ) {
    const { framing = 'messages', mtu = 1400 } = raw
    const headroomBytes = envelopeBytes(raw)
    super(endpoint, conv, peer, framing satisfies Framing, { mtu, headroomBytes }, nowMs)
    if (headroomBytes > 0) this.#envelope = new EnvelopeWriter((bytes) => endpoint.random(bytes))
    this.#onLeave = onLeave
  }

  get maxUnreliableBytes(): number {
    return 0
  }

  /** Plain peers have no such thing. */
  sendUnreliable(): boolean {
    return false
  }

  start(nowMs: number): void {
    this.plan(nowMs)
  }

  destroy(code: number, reason: string, error: KcpError): void {
    this.finish({ code, reason, by: 'local', error })
  }

  /** For the endpoint: KCP bytes. Any may come. */
  handle(bytes: Uint8Array, from: number): void {
    if (this.isOver()) return
    const nowMs = this.endpoint.now()
    if (this.take(bytes, from, bytes.length - from, nowMs) < 0) this.endpoint.drop('malformed')
    else {
      this.lastHeardMs = nowMs
      if (!this.isOver() && !this.isDirty) this.plan(nowMs)
    }
  }

  protected transmit(bytes: Uint8Array, offset: number, length: number): void {
    const { endpoint } = this
    const from = this.#envelope?.write(bytes, offset, length) ?? offset
    endpoint.send(bytes, from, offset + length, this.address, this.port)
    this.lastSentMs = endpoint.now()
  }

  protected onFlushed(nowMs: number): void {
    const close = this.ownClose
    const step = close?.next(this.isDelivered, nowMs)
    // There is no way to tell the other end.
    if (step === 'tell') this.finish(close!.info)
    else if (step === 'giveUp') this.finish(close!.undelivered())
  }

  protected onTick(nowMs: number): void {
    this.onFlushed(nowMs)
    const silentMs = nowMs - this.lastHeardMs
    if (this.isOver() || silentMs < this.endpoint.options.idleTimeoutMs) return
    const reason = `nothing was heard for ${Math.round(silentMs)} ms`
    const error = new KcpError('KCP_TIMEOUT', reason)
    this.finish({ code: KCP_CLOSE.lost, reason, by: 'network', error })
  }

  protected nextDueMs(): number {
    const idleMs = this.lastHeardMs + this.endpoint.options.idleTimeoutMs
    return Math.min(idleMs, this.ownClose?.dueMs ?? Infinity)
  }

  protected leave(): void {
    this.#onLeave(this)
  }
}
