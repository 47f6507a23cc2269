/** Why a datagram was dropped. */
export const DROP_REASONS = [
  /** Fewer bytes than its kind has. */
  'tooShort',
  /** More bytes than are ever taken. */
  'tooLong',
  'unknownKind',
  /** Of no session here; spoofed, or of one that ended long ago. */
  'unknownConv',
  /** Of a session that has just ended. */
  'closedConv',
  /** Came before, or is too old to tell. */
  'replayed',
  /** Not sealed with the session's key. */
  'notAuthentic',
  /** Authentic, but with a body that no correct peer sends. */
  'malformed',
  'helloTooShort',
  'helloMalformed',
  'helloVersion',
  /** A hello without a token, above `maxRetriesPerSecond`. */
  'retryBudget',
  /** A token that is wrong or out of date. */
  'badToken',
  /** Above `maxHandshakesPerSecond` of one network. */
  'handshakeRate',
  /** Of another worker's session, above `maxForwardsPerSecond`. */
  'forwardRate',
  /** Above `maxSessions` or `maxSessionsPerAddress`. */
  'full',
  /** The security or the `allow` callback said no. */
  'refused',
  /** Of a handshake, but from another address or with another nonce. */
  'unexpected',
  /** Raw mode: the first datagram of an address is no beginning of a conversation. */
  'rawNotFirst',
  /** Raw mode: another conversation from an address that has one. */
  'rawConv',
  /** Raw mode: the checksum does not fit. */
  'rawChecksum',
  /** Passed on by the thread that reads a flooded port, faster than they are taken. */
  'receiveQueue',
  /** To be sent, but the system's queue is full. */
  'sendQueue',
] as const
export type DropReason = (typeof DROP_REASONS)[number]

/** What one socket has done so far. */
export interface KcpCounters {
  datagramsIn: number
  bytesIn: number
  datagramsOut: number
  bytesOut: number
  /** RETRY answers sent. */
  retries: number
  /** Sessions that came to be. */
  opened: number
  /** Sessions that are over. */
  closed: number
  /** Moves of a session to another address. */
  migrations: number
  readonly dropped: Record<DropReason, number>
}

export function newCounters(): KcpCounters {
  return {
    datagramsIn: 0,
    bytesIn: 0,
    datagramsOut: 0,
    bytesOut: 0,
    retries: 0,
    opened: 0,
    closed: 0,
    migrations: 0,
    dropped: Object.fromEntries(DROP_REASONS.map((reason) => [reason, 0])) as Record<
      DropReason,
      number
    >,
  }
}

/** Adds what another has counted. */
export function addCounters(sum: KcpCounters, more: KcpCounters): void {
  const { dropped, ...counts } = more
  for (const name of Object.keys(counts) as (keyof typeof counts)[]) sum[name] += counts[name]
  for (const reason of DROP_REASONS) sum.dropped[reason] += dropped[reason]
}
