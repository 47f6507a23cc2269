import { ByteWriter } from './byte-writer.ts'
import { shortenReason } from './close-codes.ts'
import {
  MAGIC,
  FRAME_OVERHEAD_BYTES,
  RESET,
  TYPE,
  type AckFrame,
  type ByeFrame,
  type HelloFrame,
  type PingFrame,
  type ResumeFrame,
} from './frame.ts'

/** Writes a frame that clients send and that is kept by nobody. Throws a `RangeError` for a text longer than its field. */
export function encodeClientFrame(
  frame: HelloFrame | ResumeFrame | ByeFrame | AckFrame | PingFrame,
): Uint8Array {
  const writer = new ByteWriter().u8(TYPE[frame.type])
  switch (frame.type) {
    case 'hello':
      writer.bytes(MAGIC).u8(frame.minProtocol).u8(frame.maxProtocol)
      writer.shortTexts(frame.codecs).shortTexts(frame.compressions)
      writer.bytes(frame.instance).u32(frame.attempt).longText(frame.ticket)
      break
    case 'resume':
      writer.bytes(MAGIC).u8(frame.protocol).shortText(frame.codec).shortText(frame.compression)
      writer.shortText(frame.sessionId).u16(frame.token.length).bytes(frame.token)
      writer
        .u32(frame.attempt)
        .u32(frame.lastReceived)
        .u8(frame.reset ? RESET : 0)
      writer.varint(frame.routeEpoch)
      break
    case 'bye':
      writer.u16(frame.code).shortText(shortenReason(frame.reason))
      break
    default:
      writer.u32(frame.ack).u16(frame.stateAck)
      if (frame.type !== 'ack') writer.u32(frame.time)
  }
  return writer.finish()
}

/**
 * Writes a data frame in one allocation. Its acknowledgements are left 0: the frame is kept and
 * `stampAcks` fills them in each time it leaves.
 */
export function encodeData(
  lane: 'reliable' | 'state',
  seq: number,
  epoch: number,
  payload: Uint8Array,
): Uint8Array {
  const head = new Uint8Array(FRAME_OVERHEAD_BYTES)
  head[0] = TYPE[lane]
  let at = 7
  if (lane === 'reliable') {
    putU32(head, at, seq)
    at += 4
  }
  let rest = epoch >>> 0
  for (; rest > 0x7f; rest >>>= 7) head[at++] = (rest & 0x7f) | 0x80
  head[at++] = rest
  const frame = new Uint8Array(at + payload.length)
  frame.set(head.subarray(0, at))
  frame.set(payload, at)
  return frame
}

/** Writes present acknowledgements into a frame that is about to leave. */
export function stampAcks(frame: Uint8Array, ack: number, stateAck: number): void {
  putU32(frame, 1, ack)
  frame[5] = stateAck
  frame[6] = stateAck >>> 8
}

function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value >>> 16
  bytes[at + 3] = value >>> 24
}
