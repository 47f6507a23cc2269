/**
 * Takes one finished datagram. The bytes are `buffer[offset, offset + length)` and are valid only during the
 * call: the buffer is reused. `headroomBytes` before `offset` and `tailroomBytes` after the end are the callee's
 * to overwrite, so that a header or a tag needs no copy.
 */
export type KcpOutput = (buffer: Uint8Array, offset: number, length: number) => void

/** Everything about one KCP conversation that can be chosen. Names are those of the C original. */
export interface KcpOptions {
  /** The clock at creation, in milliseconds; any monotonic clock, read modulo 2^32. @defaultValue 0 */
  readonly nowMs?: number
  /** 0 normal; 1 minimum RTO 30 ms and backoff x1.5; 2 backoff by half of the RTO. @defaultValue 0 */
  readonly nodelay?: number
  /** Milliseconds, 1 to 5000: the floor of the RTO's variance term, and of a flush grid if the caller keeps one. @defaultValue 100 */
  readonly interval?: number
  /** Resend after this many later acknowledgements; 0 turns fast resend off. @defaultValue 0 */
  readonly resend?: number
  /** Fast resends a segment may have before only its timeout resends it; 0 is no limit. @defaultValue 5 */
  readonly fastlimit?: number
  /** `true` turns the congestion window off, as games need. @defaultValue false */
  readonly nc?: boolean
  /** Send window in segments, 1 to 32767. @defaultValue 32 */
  readonly sndWnd?: number
  /** Receive window in segments, 1 to 32767. @defaultValue 128 */
  readonly rcvWnd?: number
  /** Receive window the peer is known to have; without it, it is learnt from the peer's datagrams (128 until then). */
  readonly peerRcvWnd?: number
  /** Largest datagram in bytes, KCP headers counted, 50 to 65507. @defaultValue 1400 */
  readonly mtu?: number
  /** Byte stream instead of messages: boundaries are not kept, segments are filled. @defaultValue false */
  readonly stream?: boolean
  /** Segments that may wait or be in flight before `send` refuses. @defaultValue 16384 */
  readonly maxWaitSnd?: number
  /** Milliseconds without any acknowledgement, while segments are in flight, until the link is dead; 0 is never. @defaultValue 30000 */
  readonly deadLinkMs?: number
  /** Transmissions of one segment before the link may be dead (with a sixth of `deadLinkMs` passed too); 0 is never. @defaultValue 20 */
  readonly deadLink?: number
  /** Milliseconds of the first wait before a closed peer window is probed; grows by half each time to 120 s. @defaultValue 500 */
  readonly probeInitMs?: number
  /** `true` acknowledges every segment as the C original does, even where `una` says it already. @defaultValue false */
  readonly ackAll?: boolean
  /** First sequence number of both directions; both ends must agree, plain peers start at 0. @defaultValue 0 */
  readonly initialSn?: number
  /** Free bytes kept before each datagram in the output buffer. @defaultValue 0 */
  readonly headroomBytes?: number
  /** Free bytes kept after each datagram in the output buffer. @defaultValue 0 */
  readonly tailroomBytes?: number
  /** Segments shared with other conversations. @defaultValue a pool shared by the process */
  readonly pool?: SegmentPool
}

/** Free segments and the output buffer, shared by the conversations of one listener. */
export class SegmentPool {}

/** What a conversation has done so far. */
export interface KcpStats {
  /** Datagrams given to `output`. */
  datagramsOut: number
  /** Bytes given to `output`. */
  bytesOut: number
  /** Datagrams that passed validation. */
  datagramsIn: number
  bytesIn: number
  /** Datagrams refused by `input`. */
  refused: number
  /** PUSH segments sent, first transmissions and resends. */
  segmentsOut: number
  /** PUSH segments that arrived. */
  segmentsIn: number
  /** Resends after the RTO. */
  timeoutResends: number
  /** Resends after `resend` later acknowledgements. */
  fastResends: number
  /** PUSH segments that had arrived before. */
  duplicates: number
  /** PUSH segments beyond the receive window. */
  outOfWindow: number
  /** Window probes sent. */
  probes: number
}

/**
 * One end of a KCP conversation: a state machine without socket, timer or clock. Give it datagrams by `input`,
 * messages by `send`, and the time by every call; it gives datagrams to `output`, messages by `receive`, and by
 * `nextDeadline` the time at which it next wants `flush`.
 */
export class Kcp {
  readonly stats: KcpStats = {
    datagramsOut: 0,
    bytesOut: 0,
    datagramsIn: 0,
    bytesIn: 0,
    refused: 0,
    segmentsOut: 0,
    segmentsIn: 0,
    timeoutResends: 0,
    fastResends: 0,
    duplicates: 0,
    outOfWindow: 0,
    probes: 0,
  }

  /** @throws RangeError when an option is outside its range, or `conv` is not 1 to 2^32-1 (0 is reserved). */
  constructor(_conv: number, _output: KcpOutput, _options: KcpOptions = {}) {
    throw new Error('to come')
  }

  get conv(): number {
    return 0
  }
  get mtu(): number {
    return 0
  }
  /** Payload bytes of one segment. */
  get mss(): number {
    return 0
  }
  get sndUna(): number {
    return 0
  }
  get sndNxt(): number {
    return 0
  }
  get rcvNxt(): number {
    return 0
  }
  get sndWnd(): number {
    return 0
  }
  get rcvWnd(): number {
    return 0
  }
  /** The peer's free window as it last said. */
  get rmtWnd(): number {
    return 0
  }
  get cwnd(): number {
    return 0
  }
  get ssthresh(): number {
    return 0
  }
  get rxSrtt(): number {
    return 0
  }
  get rxRttvar(): number {
    return 0
  }
  get rxRto(): number {
    return 0
  }
  get stream(): boolean {
    return false
  }
  /** 0 while alive; -1 once the link is dead; -2 once the peer broke the protocol (a message larger than our window). */
  get state(): 0 | -1 | -2 {
    return 0
  }
  /** Segments waiting to be sent or acknowledged (`ikcp_waitsnd`). */
  get waitSnd(): number {
    return 0
  }
  /** Bytes waiting to be sent or acknowledged. */
  get waitSndBytes(): number {
    return 0
  }
  /** Largest message `send` takes now; grows with the peer's window and the MTU. */
  get maxMessageBytes(): number {
    return 0
  }

  /**
   * Queues one message (or, in stream mode, bytes); copied before return, all of it or nothing.
   *
   * @returns The bytes taken, or -2: more than `maxMessageBytes`; -3: `maxWaitSnd` reached; -4: the link is dead.
   */
  send(_bytes: Uint8Array, _offset?: number, _length?: number): number {
    return 0
  }
  /** Size of the next whole message, or -1. */
  peekSize(): number {
    return 0
  }
  /**
   * Takes the next whole message (stream mode: the next segment) into `target`.
   *
   * @returns Its size, or -1: none; -2: its end is still to come; -3: `target` is too small.
   */
  receive(_target: Uint8Array, _offset?: number): number {
    return 0
  }
  /**
   * Applies one datagram, whole or not at all. May call `output` with acknowledgements when a datagram of them is full.
   *
   * @param recovered - The datagram came late out of error correction: no window or round trip is read from it.
   * @returns 0, or -1: too short or another conversation; -2: a length beyond the end; -3: unknown command;
   *   -4: `una` acknowledges what was never sent; -5: a fragment number no window could hold.
   */
  input(
    _bytes: Uint8Array,
    _offset: number,
    _length: number,
    _nowMs: number,
    _recovered?: boolean,
  ): number {
    return 0
  }
  /** Sends what is due: acknowledgements, probes, new segments, resends. */
  flush(_nowMs: number): void {}
  /** The time, on the caller's clock, at which `flush` is next due: `nowMs` or earlier when at once, Infinity when idle. */
  nextDeadline(_nowMs: number): number {
    return 0
  }
  /** As `ikcp_nodelay`; a negative number (or undefined) leaves that value. */
  setNoDelay(_nodelay: number, _interval?: number, _resend?: number, _nc?: boolean): void {}
  /** As `ikcp_wndsize`; 0 leaves that value. A smaller receive window takes effect as the queue drains. */
  setWindowSize(_sndWnd: number, _rcvWnd?: number): void {}
  /** Changes the datagram size. Segments already sent keep theirs; false when one in flight is larger than `mtu` allows. */
  setMtu(_mtu: number): boolean {
    return false
  }
  setStream(_on: boolean): void {}
  /** Gives all segments back to the pool; the conversation is over. */
  release(): void {}
}
