import type { Clock } from '../clock.ts'
import type { Counters } from '../counters.ts'
import type { Logger } from '../logger.ts'
import { executionOf } from '../execution.ts'
import type { Exposing } from '../expose-in.ts'
import { queueOf, type CallQueue } from './call-queue.ts'

/** An object that servers can call. */
export interface ClientExposed extends Exposing {
  /** Absent when its calls may overlap. */
  readonly queue: CallQueue | undefined
}

export const withQueue = (exposing: Exposing): ClientExposed => {
  const isSerial = executionOf(exposing.target, 'reentrant') === 'serial'
  return { ...exposing, queue: isSerial ? queueOf(exposing.target) : undefined }
}

/** What all links of one client share. */
export interface ClientHost {
  readonly clock: Clock
  readonly logger: Logger
  readonly counters: Counters
  readonly services: ReadonlyMap<string, ClientExposed>
  readonly defaultTimeoutMs: number
}
