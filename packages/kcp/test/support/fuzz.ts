import { Kcp, SegmentPool } from '../../src/index.ts'
import { sequence } from '../../src/simulator/dice.ts'
import { CONV, type Start } from './wire.ts'

export interface FuzzReport {
  readonly datagrams: number
  readonly applied: number
  readonly refused: number
  readonly largestHeldBytes: number
  readonly largestWaitSnd: number
  /** Bytes free in the pool at the end, when nothing is in use. */
  readonly freeBytes: number
}

const RCV_WND = 64

/** All that a datagram could change of a conversation, but for the count of those it refused. */
export function stateOf(kcp: Kcp): readonly number[] {
  const { refused: _, ...stats } = kcp.stats
  return [
    kcp.sndUna,
    kcp.sndNxt,
    kcp.rcvNxt,
    kcp.rmtWnd,
    kcp.cwnd,
    kcp.ssthresh,
    kcp.rxRto,
    kcp.rxSrtt,
    kcp.rxRttvar,
    kcp.waitSnd,
    kcp.waitSndBytes,
    kcp.waitRcvBytes,
    kcp.maxMessageBytes,
    Number(kcp.hasAcks),
    kcp.state,
    ...Object.values(stats),
  ]
}

/** That in one number, and when it wants its next flush. */
function digest(kcp: Kcp, nowMs: number): number {
  let sum = kcp.nextDeadline(nowMs) - nowMs
  for (const value of stateOf(kcp)) sum = (Math.imul(sum, 31) + value) | 0
  return sum
}

/** Feeds mutated datagrams to a live conversation and checks each answer. Throws when one is wrong. */
export function fuzzCore(options: { start: Start; seed: number; datagrams: number }): FuzzReport {
  const { start, seed, datagrams } = options
  const random = sequence(seed)
  const int = (below: number): number => Math.floor(random() * below)
  const pool = new SegmentPool()
  const settings = { nodelay: 1, interval: 10, resend: 2, nc: true, rcvWnd: RCV_WND, pool }
  const corpus: Uint8Array[] = []
  const report = {
    datagrams: 0,
    applied: 0,
    refused: 0,
    largestHeldBytes: 0,
    largestWaitSnd: 0,
  }
  const target = new Uint8Array(2 ** 20)
  const datagram = new Uint8Array(3000)
  const words = new DataView(datagram.buffer)
  let nowMs = start.ms
  let kcp: Kcp | undefined
  let peer: Kcp | undefined

  const keep = (buffer: Uint8Array, offset: number, length: number): void => {
    if (corpus.length < 64) corpus.push(buffer.slice(offset, offset + length))
    else corpus[int(64)] = buffer.slice(offset, offset + length)
  }
  const renew = (): void => {
    kcp?.release()
    peer?.release()
    const fresh = { ...settings, nowMs, initialSn: start.sn }
    const live = new Kcp(CONV, () => undefined, fresh)
    kcp = live
    // What the peer says is known to the one under test, which answers so that numbers go on.
    peer = new Kcp(CONV, keep, fresh)
    corpus.length = 0
    for (let index = 0; index < 20; index += 1) {
      live.send(target, 0, int(300))
      peer.send(target, 0, int(3000))
    }
    live.flush(nowMs)
    peer.flush(nowMs)
  }
  const mutate = (): number => {
    const base = corpus[int(corpus.length)]!
    datagram.set(base)
    let length = base.length
    for (let count = int(4); count > 0; count -= 1) {
      const kind = int(9)
      const at = int(Math.max(1, Math.floor(length / 24))) * 24
      if (kind === 0) datagram[int(length)]! ^= 1 << int(8)
      else if (kind === 1) length = int(length + 1)
      else if (kind === 2) length = Math.min(3000, length + int(100))
      else if (kind === 3) datagram[4] = 81 + int(5)
      else if (kind === 4) datagram[5] = int(256)
      else if (kind === 5) words.setUint16(6, int(65_536), true)
      // Numbers near those in use, and far from them.
      else if (kind === 6) words.setInt32(8 + 4 * int(3), (start.sn + int(200) - 60) | 0, true)
      else if (kind === 7) words.setInt32(8 + 4 * int(4), int(2 ** 32) | 0, true)
      else if (at + 24 <= length) words.setInt32(at + 20, int(3) === 0 ? int(1400) : 0, true)
    }
    return length
  }

  while (report.datagrams < datagrams) {
    if (kcp === undefined || report.datagrams % 500 === 0 || kcp.state !== 0) renew()
    const live = kcp!
    const length = mutate()
    const before = digest(live, nowMs)
    const result = live.input(datagram, 0, length, nowMs)
    report.datagrams += 1
    if (result === 0) report.applied += 1
    else {
      report.refused += 1
      // A message that no window could hold is noticed when its last segment has been applied.
      const isEnded = result === -5 && live.state === -2
      if (!isEnded && digest(live, nowMs) !== before)
        throw new Error(
          `datagram ${report.datagrams} was refused (${result}) and changed something`,
        )
    }
    if (![0, -1, -2, -3, -4, -5].includes(result)) throw new Error(`input gave ${result}`)
    report.largestHeldBytes = Math.max(report.largestHeldBytes, live.waitRcvBytes)
    report.largestWaitSnd = Math.max(report.largestWaitSnd, live.waitSnd)
    if (report.datagrams % 8 !== 0) continue
    nowMs += int(20)
    while (live.receive(target) >= 0);
    live.flush(nowMs)
    if (live.waitSnd < 40) live.send(target, 0, int(300))
    if (live.nextDeadline(nowMs) < nowMs) throw new Error('a deadline in the past')
  }
  kcp?.release()
  peer?.release()
  return { ...report, freeBytes: pool.freeBytes }
}
