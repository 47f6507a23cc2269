/** What a gate says when it opens the virtual link of one binding of one session. */
export interface LinkMeta {
  readonly session: string
  readonly account: string
  readonly route: string
  readonly epoch: number
  readonly gate: string
  readonly identity: { readonly account: string } & Readonly<Record<string, unknown>>
  /** Counts the session's links over all gates: where two gates hold one session, the larger is right. */
  readonly linkEpoch: number
  /** Whether the player has a link right now. */
  readonly online: boolean
  /** Bytes of one message to the player at most. */
  readonly maxMessageBytes: number
  /** Bytes to the player that may be on their way to the gate. */
  readonly windowBytes: number
}

/** Reads what came with a virtual link; `undefined` when it is not from a gate. */
export function readLinkMeta(meta: unknown): LinkMeta | undefined {
  if (!isRecord(meta)) return undefined
  const { session, account, route, epoch, gate, identity, linkEpoch, online } = meta
  const { maxMessageBytes, windowBytes } = meta
  if (typeof session !== 'string' || session === '') return undefined
  if (typeof account !== 'string' || typeof route !== 'string') return undefined
  if (typeof gate !== 'string' || typeof online !== 'boolean') return undefined
  if (![epoch, linkEpoch, maxMessageBytes, windowBytes].every(Number.isSafeInteger))
    return undefined
  if (!isRecord(identity)) return undefined
  return {
    session,
    account,
    route,
    epoch: epoch as number,
    gate,
    identity: { ...identity, account },
    linkEpoch: linkEpoch as number,
    online,
    maxMessageBytes: maxMessageBytes as number,
    windowBytes: windowBytes as number,
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
