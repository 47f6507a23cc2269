import { CLOSE } from './close-codes.ts'
import type { Clock } from './clock.ts'
import {
  CODECS,
  COMPRESSIONS,
  MAX_HANDSHAKE_BYTES,
  PROTOCOL,
  type HelloFrame,
  type ResumeFrame,
} from './frame.ts'
import { decodeClientFrame } from './frame-decoder.ts'
import { HeldLink } from './held-link.ts'
import type { SessionLink } from './link.ts'

/** What `authenticate` and `adopt` learn beside the ticket or record. */
export interface AuthenticateContext {
  readonly link: SessionLink
  /** Aborts when the deadline passes, the link goes, or the server stops. */
  readonly signal: AbortSignal
}

export interface HandshakeHost {
  readonly clock: Clock
  readonly handshakeTimeoutMs: number
  readonly authTimeoutMs: number
  hello(handshake: Handshake, frame: HelloFrame, protocol: number): void
  resume(handshake: Handshake, frame: ResumeFrame): void
  /** This handshake is pending no more. `code` says why it led to nothing. */
  over(handshake: Handshake, code?: number): void
}

/** Codes fit to be told to a player: anything else might carry what is none of their business. */
const TELLABLE_CODE = /^[\w.:-]{1,64}$/

/** A link that is not yet a session: one frame to say what it wants, and a deadline for each step. */
export class Handshake {
  readonly #host: HandshakeHost
  readonly #held: HeldLink
  readonly #abort = new AbortController()
  #cancelDeadline: () => void
  #hasSpoken = false
  #isOver = false

  constructor(link: SessionLink, host: HandshakeHost) {
    this.#host = host
    this.#held = new HeldLink(link, {
      message: (bytes) => this.#receive(bytes),
      drained: () => {},
      closed: (code) => this.#finish(code),
    })
    const { handshakeTimeoutMs } = host
    this.#cancelDeadline = host.clock.setTimer(handshakeTimeoutMs, () =>
      this.refuse(CLOSE.handshakeTimeout, `nothing was said for ${handshakeTimeoutMs} ms`),
    )
  }

  refuse(code: number, reason: string): void {
    if (this.#isOver) return
    this.#held.close(code, reason)
    this.#finish(code)
  }

  /** The handshake succeeded: its link, for the session to take. */
  release(): HeldLink {
    this.#finish()
    return this.#held
  }

  /**
   * Asks the application, within the deadline for that. What it throws is told to the player in a
   * bounded form; what comes after the link or the deadline has gone is dropped.
   */
  ask<T>(
    question: (context: AuthenticateContext) => T | Promise<T>,
    then: (answer: T) => void,
  ): void {
    const { clock, authTimeoutMs } = this.#host
    this.#cancelDeadline()
    this.#cancelDeadline = clock.setTimer(authTimeoutMs, () =>
      this.refuse(CLOSE.authTimeout, `no answer within ${authTimeoutMs} ms`),
    )
    const proceed = (answer: T): void => {
      if (!this.#isOver) then(answer)
    }
    try {
      const answer = question({ link: this.#held.link, signal: this.#abort.signal })
      if (!isPromise(answer)) proceed(answer)
      else answer.then(proceed, (error: unknown) => this.#refuseBy(error))
    } catch (error) {
      this.#refuseBy(error)
    }
  }

  #refuseBy(error: unknown): void {
    const { code, retryable } = (error ?? {}) as { code?: unknown; retryable?: unknown }
    if (typeof code === 'string' && TELLABLE_CODE.test(code)) {
      this.refuse(retryable === true ? CLOSE.authUnavailable : CLOSE.authRefused, code)
    } else {
      this.refuse(CLOSE.authUnavailable, 'the login could not be checked')
    }
  }

  #receive(bytes: Uint8Array): void {
    if (this.#hasSpoken) {
      this.refuse(CLOSE.protocolError, 'a frame before the answer to the first')
      return
    }
    this.#hasSpoken = true
    if (bytes.length > MAX_HANDSHAKE_BYTES) {
      const problem = `a first frame of ${bytes.length} bytes, at most ${MAX_HANDSHAKE_BYTES}`
      this.refuse(CLOSE.frameTooLarge, problem)
      return
    }
    const frame = decodeClientFrame(bytes)
    if (frame.type === 'malformed') this.refuse(CLOSE.protocolError, frame.problem)
    else if (frame.type === 'hello') this.#hello(frame)
    else if (frame.type === 'resume') this.#resume(frame)
    else if (frame.type === 'bye') this.refuse(frame.code, frame.reason)
    else this.refuse(CLOSE.protocolError, `a ${frame.type} before the handshake`)
  }

  #hello(frame: HelloFrame): void {
    const protocol = Math.min(PROTOCOL.max, frame.maxProtocol)
    if (protocol < Math.max(PROTOCOL.min, frame.minProtocol)) {
      const spoken = `the server speaks versions ${PROTOCOL.min} to ${PROTOCOL.max}`
      this.refuse(CLOSE.versionUnsupported, spoken)
    } else if (!frame.codecs.some((codec) => CODECS.includes(codec))) {
      this.refuse(CLOSE.versionUnsupported, `the server speaks codec ${CODECS.join(', ')}`)
    } else if (!frame.compressions.some((name) => COMPRESSIONS.includes(name))) {
      const spoken = `the server speaks compression ${COMPRESSIONS.join(', ')}`
      this.refuse(CLOSE.versionUnsupported, spoken)
    } else {
      this.#host.hello(this, frame, protocol)
    }
  }

  #resume(frame: ResumeFrame): void {
    const isSpoken =
      frame.protocol >= PROTOCOL.min &&
      frame.protocol <= PROTOCOL.max &&
      CODECS.includes(frame.codec) &&
      COMPRESSIONS.includes(frame.compression)
    if (isSpoken) this.#host.resume(this, frame)
    else this.refuse(CLOSE.termsChanged, 'version, codec or compression is not spoken here')
  }

  #finish(code?: number): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#cancelDeadline()
    this.#abort.abort()
    this.#host.over(this, code)
  }
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as { then?: unknown } | undefined)?.then === 'function'
}
