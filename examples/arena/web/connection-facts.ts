import type { Client, ClientState } from '@rts/client'

/** What is known of the connection; also what `window.arena` tells. */
export interface ConnectionFacts {
  readonly state: ClientState
  readonly transport: string
  readonly rttMs: number | undefined
  readonly resumes: number
  readonly gate: string
  readonly session: string
  readonly statesPerSecond: number
}

/** Facts of a client; without one, of none. */
export function connectionFacts(
  client: Client | undefined,
  statesPerSecond: number,
): ConnectionFacts {
  const stats = client?.stats()
  const gate = stats?.gate
  return {
    state: client?.state ?? 'idle',
    transport: gate === undefined ? '–' : gate.startsWith('wss:') ? 'WebSocket, TLS' : 'WebSocket',
    rttMs: stats?.session?.rttMs,
    resumes: stats?.resumes ?? 0,
    gate: gate === undefined ? '–' : new URL(gate).host,
    session: client?.sessionId?.slice(0, 8) ?? '–',
    statesPerSecond,
  }
}
