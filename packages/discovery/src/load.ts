/** How a node is doing: what is, never what has been counted. */
export interface Load {
  /** How full it is by its own measure: 0 is idle, 1 is as much as it can do. */
  readonly pressure: number
  /** Milliseconds by which its event loop is late: the 99th percentile of the last window. */
  readonly delayMs?: number
  /** The share of one core that its process uses; above 1 where it has threads. */
  readonly cpu?: number
  /** Calls it is working on. */
  readonly inFlight?: number
  /** Players it serves. */
  readonly sessions?: number
}

const FIELDS = ['pressure', 'delayMs', 'cpu', 'inFlight', 'sessions'] as const

/** @throws RangeError naming the field. */
export function checkLoad(load: Load): Load {
  for (const field of FIELDS) {
    const value = load[field]
    if (value === undefined && field !== 'pressure') continue
    if (!(value! >= 0 && value! < Infinity)) {
      throw new RangeError(`${field} of a load must be a number from 0, got ${value}`)
    }
  }
  return load
}

/** True for what a record may hold. */
export const isLoad = (value: unknown): value is Load =>
  typeof value === 'object' &&
  value !== null &&
  FIELDS.every((field) => {
    const number = (value as Record<string, unknown>)[field]
    return number === undefined ? field !== 'pressure' : typeof number === 'number' && number >= 0
  })

const round = (value: number, digits: number): number => Number(value.toFixed(digits))

/** Short enough for a record, and equal when nothing worth a write has changed. */
export function roundLoad({ pressure, delayMs, cpu, inFlight, sessions }: Load): Load {
  return {
    pressure: round(pressure, 2),
    ...(delayMs === undefined ? {} : { delayMs: round(delayMs, 0) }),
    ...(cpu === undefined ? {} : { cpu: round(cpu, 2) }),
    ...(inFlight === undefined ? {} : { inFlight: round(inFlight, 0) }),
    ...(sessions === undefined ? {} : { sessions: round(sessions, 0) }),
  }
}

const VERSION = 1
const LOAD_BYTES = 14
const MAX_WORD = 0xffff_ffff

/** What travels on a link: fourteen bytes, with 0 for what the node did not say. */
export function encodeLoad(load: Load): Uint8Array {
  const bytes = new Uint8Array(LOAD_BYTES)
  const view = new DataView(bytes.buffer)
  const { pressure, delayMs = 0, cpu = 0, inFlight = 0, sessions = 0 } = load
  bytes[0] = VERSION
  bytes[1] = Math.min(255, Math.round(pressure * 200))
  view.setUint16(2, Math.min(0xffff, Math.round(delayMs * 10)), true)
  view.setUint16(4, Math.min(0xffff, Math.round(cpu * 1000)), true)
  view.setUint32(6, Math.min(MAX_WORD, Math.round(inFlight)), true)
  view.setUint32(10, Math.min(MAX_WORD, Math.round(sessions)), true)
  return bytes
}

/** Reads any bytes; `undefined` when they are no load of a version known here. */
export function decodeLoad(bytes: Uint8Array): Load | undefined {
  if (bytes.length < LOAD_BYTES || bytes[0] !== VERSION) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return {
    pressure: bytes[1]! / 200,
    delayMs: view.getUint16(2, true) / 10,
    cpu: view.getUint16(4, true) / 1000,
    inFlight: view.getUint32(6, true),
    sessions: view.getUint32(10, true),
  }
}
