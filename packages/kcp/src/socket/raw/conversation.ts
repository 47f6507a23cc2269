import { crc32 } from 'node:zlib'
import { KcpError } from '../../errors.ts'
import { KCP_CLOSE } from '../close-codes.ts'
import { Conversation } from '../conversation.ts'
import { readU32, writeU32 } from '../datagram.ts'
import type { Endpoint } from '../endpoint.ts'
import type { Framing } from '../inbox.ts'

/** 16 random bytes and a CRC-32. */
const ENVELOPE_BYTES = 20
const ENVELOPE_NONCE_BYTES = 16

/** How to talk to a plain KCP peer, which knows no handshake. Both ends must have the same. */
export interface RawOptions {
  /** `crc`: 16 random bytes and a CRC-32 stand before the segments, as kcp-go sends without FEC and with a null cipher. @defaultValue 'none' */
  readonly envelope?: 'none' | 'crc'
  /** `messages` as the C original has them, or `stream`, which kcp-go needs. @defaultValue 'messages' */
  readonly framing?: 'messages' | 'stream'
  /** KCP's MTU, 50 to 1500 less the 20 bytes of the envelope. @defaultValue 1400 */
  readonly mtu?: number
}

export const envelopeBytes = (raw: RawOptions): number =>
  raw.envelope === 'crc' ? ENVELOPE_BYTES : 0

/** Where the KCP bytes of a datagram begin; -1 when its checksum does not fit. */
export function openEnvelope(bytes: Uint8Array, raw: RawOptions): number {
  if (raw.envelope !== 'crc') return 0
  if (bytes.length < ENVELOPE_BYTES) return -1
  const sum = readU32(bytes, ENVELOPE_NONCE_BYTES)
  return crc32(bytes.subarray(ENVELOPE_BYTES)) === sum ? ENVELOPE_BYTES : -1
}

/**
 * A conversation with a plain KCP peer: nothing is authenticated, nothing tells that it ends. It ends when
 * nothing was heard for `idleTimeoutMs`, or when KCP gives up.
 */
export class RawConversation extends Conversation {
  readonly #envelope: boolean
  readonly #onLeave: (conversation: RawConversation) => void
  #nonce: Uint8Array | undefined
  #nonceAt = 0

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
    this.#envelope = raw.envelope === 'crc'
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
    let from = offset
    if (this.#envelope) {
      from -= ENVELOPE_BYTES
      bytes.set(this.#takeNonce(), from)
      const sum = crc32(bytes.subarray(offset, offset + length))
      writeU32(bytes, from + ENVELOPE_NONCE_BYTES, sum)
    }
    endpoint.send(bytes, from, offset + length, this.address, this.port)
    this.lastSentMs = endpoint.now()
  }

  protected onFlushed(nowMs: number): void {
    const { closing } = this
    if (closing === undefined) return
    if (this.isDelivered) this.finish(closing)
    else if (nowMs >= this.closeByMs) this.finish(this.undelivered(closing, this.timeIsUp))
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
    return Math.min(this.lastHeardMs + this.endpoint.options.idleTimeoutMs, this.closeByMs)
  }

  protected leave(): void {
    this.#onLeave(this)
  }

  /** Random bytes are drawn for many datagrams at once. */
  #takeNonce(): Uint8Array {
    if (this.#nonce === undefined || this.#nonceAt === this.#nonce.length) {
      this.#nonce = this.endpoint.random(ENVELOPE_NONCE_BYTES * 64)
      this.#nonceAt = 0
    }
    this.#nonceAt += ENVELOPE_NONCE_BYTES
    return this.#nonce.subarray(this.#nonceAt - ENVELOPE_NONCE_BYTES, this.#nonceAt)
  }
}
