import { IKCP_RTO_DEF, IKCP_RTO_MAX, IKCP_RTO_MIN, IKCP_RTO_NDL } from './constants.ts'

/** The retransmission timeout, in whole milliseconds as the original reckons it. */
export class RtoEstimator {
  rxSrtt = 0
  rxRttvar = 0
  rxRto: number = IKCP_RTO_DEF
  rxMinrto: number = IKCP_RTO_MIN

  setNoDelay(nodelay: number): void {
    this.rxMinrto = nodelay === 0 ? IKCP_RTO_MIN : IKCP_RTO_NDL
  }

  /** Forgets what was measured. */
  reset(): void {
    this.rxSrtt = 0
    this.rxRttvar = 0
    this.rxRto = IKCP_RTO_DEF
  }

  /**
   * Folds one round trip into the timeout.
   *
   * @param rttMs - Measured round trip; an echoed `ts` tells which transmission it belongs to, so resends count too.
   * @param interval - The least margin over the smoothed round trip.
   * @see RFC 6298, section 2, for the gains 1/8 and 1/4.
   */
  sample(rttMs: number, interval: number): void {
    if (this.rxSrtt === 0) {
      this.rxSrtt = rttMs
      this.rxRttvar = rttMs >> 1
    } else {
      const delta = Math.abs(rttMs - this.rxSrtt)
      this.rxRttvar = (3 * this.rxRttvar + delta) >> 2
      this.rxSrtt = Math.max(1, (7 * this.rxSrtt + rttMs) >> 3)
    }
    const rto = this.rxSrtt + Math.max(interval, 4 * this.rxRttvar)
    this.rxRto = Math.min(Math.max(this.rxMinrto, rto), IKCP_RTO_MAX)
  }
}
