import { ByteWriter } from './byte-writer.ts'
import {
  RECEIVED_KNOWN,
  RECOVERED,
  ROUTE_STATES,
  TYPE,
  type Frame,
  type ResumedFrame,
  type Terms,
  type WelcomeFrame,
} from './frame.ts'
import { encodeClientFrame } from './frame-encoder.ts'

/** Writes any frame. Throws a `RangeError` for a text longer than its field. */
export function encodeFrame(frame: Frame): Uint8Array {
  const writer = new ByteWriter().u8(TYPE[frame.type])
  switch (frame.type) {
    case 'welcome':
    case 'resumed':
      writeAnswer(writer, frame)
      return writer.finish()
    case 'reliable':
    case 'state':
    case 'route':
    case 'token':
      writer.u32(frame.ack).u16(frame.stateAck)
      break
    default:
      return encodeClientFrame(frame)
  }
  if (frame.type === 'token') writer.u16(frame.token.length).bytes(frame.token)
  else {
    if (frame.type !== 'state') writer.u32(frame.seq)
    writer.varint(frame.epoch)
    if (frame.type !== 'route') writer.bytes(frame.payload)
    else writer.u8(ROUTE_STATES.indexOf(frame.state)).shortText(frame.name)
  }
  return writer.finish()
}

function writeAnswer(writer: ByteWriter, frame: WelcomeFrame | ResumedFrame): void {
  if (frame.type === 'welcome') {
    writer.u8(frame.protocol).shortText(frame.codec).shortText(frame.compression)
    writer.shortText(frame.sessionId)
  }
  writer.u16(frame.token.length).bytes(frame.token)
  if (frame.type === 'resumed') {
    writer.u8(
      (frame.recovered ? RECOVERED : 0) | (frame.lastReceived === undefined ? 0 : RECEIVED_KNOWN),
    )
    writer.u32(frame.lastReceived ?? 0)
  }
  writeTerms(writer, frame.terms)
}

function writeTerms(writer: ByteWriter, terms: Terms): void {
  writer.u32(terms.heartbeatMs).u32(terms.heartbeatTimeoutMs).u32(terms.resumeWindowMs)
  writer.u32(terms.maxFrameBytes).u32(terms.maxServerFrameBytes)
  writer.u32(terms.messagesPerSecond).u32(terms.messageBurst)
  writer.u32(terms.bytesPerSecond).u32(terms.byteBurst)
}
