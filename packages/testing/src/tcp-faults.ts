import { atLeastZero, probability, type Direction } from './faults.ts'

/** What is done to the bytes of one direction of one link. */
export interface TcpFaults {
  /** Every byte arrives this much later, in milliseconds. */
  delayMs: number
  /** And up to this much more, drawn for each chunk; order is kept. */
  jitterMs: number
  /** Writes of 1 to this many bytes, each in its own loop turn; 0 leaves chunks whole. */
  sliceBytes: number
  /** Bytes that pass per second; 0 is no bound. */
  bytesPerSecond: number
  /** The probability that one bit of a chunk is flipped. */
  corruptProbability: number
  /** Nothing is read, nothing is written; what was sent waits, as behind a lost route. */
  isStalled: boolean
}

export const noTcpFaults = (): TcpFaults => ({
  delayMs: 0,
  jitterMs: 0,
  sliceBytes: 0,
  bytesPerSecond: 0,
  corruptProbability: 0,
  isStalled: false,
})

/** @throws RangeError naming the field that is out of its range. */
export function checkTcpFaults(faults: Partial<TcpFaults>): void {
  atLeastZero('delayMs', faults.delayMs ?? 0)
  atLeastZero('jitterMs', faults.jitterMs ?? 0)
  atLeastZero('sliceBytes', faults.sliceBytes ?? 0)
  if (!Number.isInteger(faults.sliceBytes ?? 0))
    throw new RangeError(`sliceBytes must be a whole number, not ${faults.sliceBytes}`)
  atLeastZero('bytesPerSecond', faults.bytesPerSecond ?? 0)
  probability('corruptProbability', faults.corruptProbability ?? 0)
}

export interface CutOptions {
  /** Cut when this many more bytes have passed. @defaultValue 0, which is now */
  readonly afterBytes?: number
  /** Which way `afterBytes` is counted. @defaultValue both, each by itself */
  readonly direction?: Direction
}

/** The faults one can set: on one link, or on a proxy for all its links, present and to come. */
export abstract class TcpFaultControls {
  /** Sets the faults that are given and leaves the others. The methods below are short for this. */
  abstract set(faults: Partial<TcpFaults>, direction?: Direction): void

  /** Every byte arrives `ms` later and up to `jitterMs` more, drawn anew for each chunk. */
  delay(ms: number, jitterMs = 0, direction?: Direction): void {
    this.set({ delayMs: ms, jitterMs }, direction)
  }

  /** While on, nothing is read and nothing written, and nothing is lost: a route that is down. */
  stall(on: boolean, direction?: Direction): void {
    this.set({ isStalled: on }, direction)
  }

  /** Passes bytes on in writes of 1 to `maxBytes`, which breaks careless framing. 0 is off. */
  slice(maxBytes: number, direction?: Direction): void {
    this.set({ sliceBytes: maxBytes }, direction)
  }

  /** Passes so many bytes per second. 0 is off. */
  bandwidth(bytesPerSecond: number, direction?: Direction): void {
    this.set({ bytesPerSecond }, direction)
  }

  /** Flips one bit of a chunk with this probability. 0 is off. */
  corrupt(chance: number, direction?: Direction): void {
    this.set({ corruptProbability: chance }, direction)
  }

  /** Takes back all of the above. What was held flows again; what was cut stays cut. */
  heal(): void {
    this.set(noTcpFaults())
  }

  /** Resets both ends (TCP RST), now or once so many bytes have passed. */
  abstract cut(options?: CutOptions): void

  /**
   * Resets one end. The other hears nothing more, not even an end: a half-open connection, as when
   * the machine over there lost its power. A later `cut` resets the other too.
   */
  abstract cutHalf(side: 'client' | 'target'): void
}
