/** What a conversation has done so far. */
export interface KcpStats {
  /** Datagrams given to `output`. */
  datagramsOut: number
  /** Bytes given to `output`. */
  bytesOut: number
  /** Datagrams that `input` applied. */
  datagramsIn: number
  /** Bytes that `input` applied. */
  bytesIn: number
  /** Datagrams that `input` refused. */
  refused: number
  /** Segments with payload sent, first transmissions and resends. */
  segmentsOut: number
  /** Segments with payload that arrived. */
  segmentsIn: number
  /** Resends after the timeout. */
  timeoutResends: number
  /** Resends after `resend` later acknowledgements. */
  fastResends: number
  /** Segments that had arrived before. */
  duplicates: number
  /** Segments beyond the receive window. */
  outOfWindow: number
  /** Questions about a closed window sent. */
  probes: number
}

export function emptyStats(): KcpStats {
  return {
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
}
