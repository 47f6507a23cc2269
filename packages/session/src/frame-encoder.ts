import { ByteWriter } from './byte-writer.ts'
import { shortenReason } from './close-codes.ts'
import {
  MAGIC,
  FRAME_OVERHEAD_BYTES,
  RECEIVED_KNOWN,
  RECOVERED,
  RESET,
  ROUTE_STATES,
  TYPE,
  type ByeFrame,
  type Frame,
  type LiveFrame,
  type RouteFrame,
  type Terms,
  type TokenFrame,
} from './frame.ts'

/** Writes any frame. Throws a `RangeError` for a text longer than its field. */
export function encodeFrame(frame: Frame): Uint8Array {
  const writer = new ByteWriter().u8(TYPE[frame.type])
  switch (frame.type) {
    case 'hello':
      for (const byte of MAGIC) writer.u8(byte)
      writer.u8(frame.minProtocol).u8(frame.maxProtocol)
      writer.shortTexts(frame.codecs).shortTexts(frame.compressions)
      writer.bytes(frame.instance).u32(frame.attempt).longText(frame.ticket)
      break
    case 'resume':
      for (const byte of MAGIC) writer.u8(byte)
      writer.u8(frame.protocol).shortText(frame.codec).shortText(frame.compression)
      writer.shortText(frame.sessionId).u16(frame.token.length).bytes(frame.token)
      writer
        .u32(frame.attempt)
        .u32(frame.lastReceived)
        .u8(frame.reset ? RESET : 0)
        .varint(frame.routeEpoch)
      break
    case 'welcome':
      writer.u8(frame.protocol).shortText(frame.codec).shortText(frame.compression)
      writer.shortText(frame.sessionId).u16(frame.token.length).bytes(frame.token)
      writeTerms(writer, frame.terms)
      break
    case 'resumed':
      writer.u16(frame.token.length).bytes(frame.token)
      writer.u8(
        (frame.recovered ? RECOVERED : 0) | (frame.lastReceived === undefined ? 0 : RECEIVED_KNOWN),
      )
      writer.u32(frame.lastReceived ?? 0)
      writeTerms(writer, frame.terms)
      break
    case 'bye':
      writer.u16(frame.code).shortText(shortenReason(frame.reason))
      break
    default:
      writer.u32(frame.ack).u16(frame.stateAck)
      writeLive(writer, frame)
  }
  return writer.finish()
}

function writeLive(
  writer: ByteWriter,
  frame: Exclude<LiveFrame, ByeFrame> | RouteFrame | TokenFrame,
): void {
  switch (frame.type) {
    case 'reliable':
      writer.u32(frame.seq).varint(frame.epoch).bytes(frame.payload)
      break
    case 'state':
      writer.varint(frame.epoch).bytes(frame.payload)
      break
    case 'route':
      writer.u32(frame.seq).varint(frame.epoch)
      writer.u8(ROUTE_STATES.indexOf(frame.state)).shortText(frame.name)
      break
    case 'ping':
    case 'pong':
      writer.u32(frame.time)
      break
    case 'token':
      writer.u16(frame.token.length).bytes(frame.token)
      break
    case 'ack':
      break
  }
}

function writeTerms(writer: ByteWriter, terms: Terms): void {
  writer.u32(terms.heartbeatMs).u32(terms.heartbeatTimeoutMs).u32(terms.resumeWindowMs)
  writer.u32(terms.maxFrameBytes).u32(terms.maxServerFrameBytes)
  writer.u32(terms.messagesPerSecond).u32(terms.messageBurst)
  writer.u32(terms.bytesPerSecond).u32(terms.byteBurst)
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
