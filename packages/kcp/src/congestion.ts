import { IKCP_THRESH_INIT, IKCP_THRESH_MIN } from './constants.ts'

/** The original's congestion window, in segments. It collapses under random loss: games turn it off with `nc`. */
export class CongestionWindow {
  // The original starts at 0, which keeps its first flush from sending anything, and is 1 after that flush.
  cwnd = 1
  ssthresh: number = IKCP_THRESH_INIT
  #incr: number

  constructor(mss: number) {
    this.#incr = mss
  }

  /** Begins anew. */
  reset(mss: number): void {
    this.cwnd = 1
    this.ssthresh = IKCP_THRESH_INIT
    this.#incr = mss
  }

  /** A datagram moved `una`. */
  acknowledged(rmtWnd: number, mss: number): void {
    if (this.cwnd >= rmtWnd) return
    if (this.cwnd < this.ssthresh) {
      this.cwnd += 1
      this.#incr += mss
    } else {
      this.#incr = Math.max(this.#incr, mss)
      this.#incr += Math.trunc((mss * mss) / this.#incr) + (mss >> 4)
      if ((this.cwnd + 1) * mss <= this.#incr) this.cwnd = Math.trunc((this.#incr + mss - 1) / mss)
    }
    if (this.cwnd > rmtWnd) {
      this.cwnd = rmtWnd
      this.#incr = rmtWnd * mss
    }
  }

  /** A flush resent something after later acknowledgements. */
  fastResent(inFlight: number, resend: number, mss: number): void {
    this.ssthresh = Math.max(IKCP_THRESH_MIN, inFlight >> 1)
    this.cwnd = this.ssthresh + resend
    this.#incr = this.cwnd * mss
  }

  /** A flush resent something after its timeout. */
  timedOut(priorCwnd: number, mss: number): void {
    this.ssthresh = Math.max(IKCP_THRESH_MIN, priorCwnd >> 1)
    this.cwnd = 1
    this.#incr = mss
  }

  /** The window is never empty. */
  settle(mss: number): void {
    if (this.cwnd >= 1) return
    this.cwnd = 1
    this.#incr = mss
  }
}
