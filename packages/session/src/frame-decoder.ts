import { ByteReader } from './byte-reader.ts'
import {
  INSTANCE_BYTES,
  MAGIC,
  MAX_HANDSHAKE_BYTES,
  RECEIVED_KNOWN,
  RECOVERED,
  RESET,
  ROUTE_STATES,
  TYPE,
  type ByeFrame,
  type ClientFrame,
  type HelloFrame,
  type LiveFrame,
  type Malformed,
  type ResumedFrame,
  type ResumeFrame,
  type RouteFrame,
  type ServerFrame,
  type Terms,
  type TokenFrame,
  type WelcomeFrame,
} from './frame.ts'

/** Codecs or compressions a client may offer. */
const MAX_CHOICES = 16

/** Reads a frame a client sent. Any bytes give a frame or `malformed`. Views into `bytes`, no copies. */
export function decodeClientFrame(bytes: Uint8Array): ClientFrame | Malformed {
  const type = bytes[0]
  if (type === TYPE.hello || type === TYPE.resume) return decodeHandshake(bytes)
  if (type === TYPE.route || type === TYPE.token) return malformed('a frame only servers send')
  return decodeLive(bytes) as ClientFrame | Malformed
}

/** Reads a frame a server sent. Any bytes give a frame or `malformed`. Views into `bytes`, no copies. */
export function decodeServerFrame(bytes: Uint8Array): ServerFrame | Malformed {
  const type = bytes[0]
  if (type === TYPE.welcome) return decodeWelcome(bytes)
  if (type === TYPE.resumed) return decodeResumed(bytes)
  return decodeLive(bytes)
}

function malformed(problem: string): Malformed {
  return { type: 'malformed', problem }
}

function whole<F extends { readonly type: string }>(reader: ByteReader, frame: F): F | Malformed {
  return reader.isComplete ? frame : malformed(`a ${frame.type} with a bad field`)
}

function decodeHandshake(bytes: Uint8Array): HelloFrame | ResumeFrame | Malformed {
  if (MAGIC.some((byte, i) => bytes[i + 1] !== byte)) return malformed('not this protocol')
  if (bytes.length > MAX_HANDSHAKE_BYTES) return malformed('a handshake too long')
  const reader = new ByteReader(bytes, 1 + MAGIC.length)
  const frame: HelloFrame | ResumeFrame =
    bytes[0] === TYPE.hello
      ? {
          type: 'hello',
          minProtocol: reader.u8(),
          maxProtocol: reader.u8(),
          codecs: readChoices(reader),
          compressions: readChoices(reader),
          instance: reader.bytes(INSTANCE_BYTES),
          attempt: reader.u32(),
          ticket: reader.longText(),
        }
      : {
          type: 'resume',
          protocol: reader.u8(),
          codec: reader.shortText(),
          compression: reader.shortText(),
          sessionId: reader.shortText(),
          token: reader.bytes(reader.u16()),
          attempt: reader.u32(),
          lastReceived: reader.u32(),
          reset: (reader.u8() & RESET) !== 0,
          routeEpoch: reader.varint(),
        }
  return whole(reader, frame)
}

function readChoices(reader: ByteReader): string[] {
  const count = reader.u8()
  if (count > MAX_CHOICES) reader.failed = true
  const texts: string[] = []
  for (let i = 0; i < count && !reader.failed; i++) texts.push(reader.shortText())
  return texts
}

function decodeWelcome(bytes: Uint8Array): WelcomeFrame | Malformed {
  const reader = new ByteReader(bytes, 1)
  const frame: WelcomeFrame = {
    type: 'welcome',
    protocol: reader.u8(),
    codec: reader.shortText(),
    compression: reader.shortText(),
    sessionId: reader.shortText(),
    token: reader.bytes(reader.u16()),
    terms: readTerms(reader),
  }
  return whole(reader, frame)
}

function decodeResumed(bytes: Uint8Array): ResumedFrame | Malformed {
  const reader = new ByteReader(bytes, 1)
  const token = reader.bytes(reader.u16())
  const flags = reader.u8()
  const lastReceived = reader.u32()
  const frame: ResumedFrame = {
    type: 'resumed',
    token,
    recovered: (flags & RECOVERED) !== 0,
    lastReceived: (flags & RECEIVED_KNOWN) === 0 ? undefined : lastReceived,
    terms: readTerms(reader),
  }
  return whole(reader, frame)
}

function readTerms(reader: ByteReader): Terms {
  const terms: Terms = {
    heartbeatMs: reader.u32(),
    heartbeatTimeoutMs: reader.u32(),
    resumeWindowMs: reader.u32(),
    maxFrameBytes: reader.u32(),
    maxServerFrameBytes: reader.u32(),
    messagesPerSecond: reader.u32(),
    messageBurst: reader.u32(),
    bytesPerSecond: reader.u32(),
    byteBurst: reader.u32(),
  }
  if (terms.heartbeatMs === 0 || terms.heartbeatTimeoutMs < terms.heartbeatMs) reader.failed = true
  if (terms.maxFrameBytes < 64 || terms.maxServerFrameBytes < 64) reader.failed = true
  if (terms.messageBurst < 4 || terms.byteBurst / 4 < terms.maxFrameBytes) reader.failed = true
  return terms
}

function decodeLive(bytes: Uint8Array): LiveFrame | RouteFrame | TokenFrame | Malformed {
  const reader = new ByteReader(bytes, 1)
  const type = bytes[0]
  if (type === TYPE.bye) {
    const frame: ByeFrame = { type: 'bye', code: reader.u16(), reason: reader.shortText() }
    return whole(reader, frame)
  }
  const ack = reader.u32()
  const stateAck = reader.u16()
  let frame: LiveFrame | RouteFrame | TokenFrame
  switch (type) {
    case TYPE.reliable: {
      const seq = reader.u32()
      frame = { type: 'reliable', ack, stateAck, seq, epoch: epoch(reader), payload: reader.rest() }
      break
    }
    case TYPE.state:
      frame = { type: 'state', ack, stateAck, epoch: epoch(reader), payload: reader.rest() }
      break
    case TYPE.route: {
      const seq = reader.u32()
      const number = epoch(reader)
      const state = ROUTE_STATES[reader.u8()]
      const name = reader.shortText()
      if (state === undefined || name === '') return malformed('a route with a bad field')
      frame = { type: 'route', ack, stateAck, seq, epoch: number, state, name }
      break
    }
    case TYPE.ack:
      frame = { type: 'ack', ack, stateAck }
      break
    case TYPE.ping:
      frame = { type: 'ping', ack, stateAck, time: reader.u32() }
      break
    case TYPE.pong:
      frame = { type: 'pong', ack, stateAck, time: reader.u32() }
      break
    case TYPE.token:
      frame = { type: 'token', ack, stateAck, token: reader.bytes(reader.u16()) }
      break
    default:
      return malformed('an unknown frame type')
  }
  return whole(reader, frame)
}

/** Route epochs start at 1. */
function epoch(reader: ByteReader): number {
  const value = reader.varint()
  if (value === 0) reader.failed = true
  return value
}
