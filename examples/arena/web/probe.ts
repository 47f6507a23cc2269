import type { Phase } from '../src/player/arena-player.ts'
import type { ConnectionFacts } from './connection-facts.ts'

export interface ProbedShip {
  readonly seat: number
  readonly name: string
  readonly x: number
  readonly y: number
  readonly angle: number
  readonly hp: number
  readonly score: number
  readonly isOwn: boolean
}

/** What `window.arena` lets a test read, as it is at that moment. */
export interface Probe {
  readonly phase: Phase | 'welcome'
  readonly seat: number | undefined
  /** As they are shown; the own one where it is predicted. */
  readonly ships: readonly ProbedShip[]
  readonly shots: number
  readonly connection: ConnectionFacts
}

declare global {
  interface Window {
    readonly arena: Probe
  }
}
