/** Traffic of one end of a session, since it opened. Whole numbers; the counts never fall. */
export interface SessionStats {
  readonly framesIn: number
  readonly framesOut: number
  readonly bytesIn: number
  readonly bytesOut: number
  /** Reliable frames sent again after a resume. */
  readonly resent: number
  /** Reliable frames that came twice and were dropped. */
  readonly duplicates: number
  /** Reliable frames given up by a clean start or the end of the session. */
  readonly lost: number
  /** State frames replaced by a newer one before they left. */
  readonly stateReplaced: number
  /** State frames dropped because more than the bound was waiting. */
  readonly stateDropped: number
  /** Frames dropped because their route was not bound, or bound anew since they left. */
  readonly staleRoute: number
  readonly links: number
  /** Now: reliable frames and bytes not yet acknowledged. */
  readonly unackedFrames: number
  readonly unackedBytes: number
  /** Now: smoothed round trip in milliseconds, once measured. */
  readonly rttMs: number | undefined
}

export interface ServerStats {
  /** Now: sessions with a link. */
  readonly open: number
  /** Now: sessions waiting for one. */
  readonly waiting: number
  /** Now: links that are not yet a session. */
  readonly pendingHandshakes: number
  /** Links given to `accept`. */
  readonly accepted: number
  readonly opened: number
  readonly resumed: number
  /** Resumes that started clean. */
  readonly resets: number
  readonly adopted: number
  /** Links that did not become a session, by name of the close code. */
  readonly refused: Readonly<Record<string, number>>
  /** Links that closed while their session went on, by name of the close code. */
  readonly linkCloses: Readonly<Record<string, number>>
  /** Sessions that ended, by name of the close code. */
  readonly sessionCloses: Readonly<Record<string, number>>
  /** Sum over all sessions, ended ones included. */
  readonly traffic: Omit<SessionStats, 'rttMs'>
}

/** The counters behind `SessionStats`. */
export class Traffic {
  framesIn = 0
  framesOut = 0
  bytesIn = 0
  bytesOut = 0
  resent = 0
  duplicates = 0
  lost = 0
  stateReplaced = 0
  stateDropped = 0
  staleRoute = 0
  links = 0

  snapshot(): Omit<SessionStats, 'unackedFrames' | 'unackedBytes' | 'rttMs'> {
    return { ...this }
  }
}

/** Adds what another end has counted. */
export function addTraffic(sum: Traffic, other: Readonly<Traffic>): void {
  for (const name of Object.keys(sum) as (keyof Omit<Traffic, 'snapshot'>)[])
    sum[name] += other[name]
}

/** Counts by the name of a close code. */
export class CloseCounts {
  readonly #counts = new Map<string, number>()

  count(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1)
  }

  snapshot(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts)
  }
}
