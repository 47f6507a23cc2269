import type { RouteState } from './routes.ts'

/** The protocol versions this code speaks. */
export const PROTOCOL: { readonly min: number; readonly max: number } = { min: 1, max: 1 }
/** The payload codecs and compressions there are, in order of preference. */
export const CODECS: readonly string[] = ['msgpack']
export const COMPRESSIONS: readonly string[] = ['none']

export const INSTANCE_BYTES = 8
/** Bytes of a `hello` or `resume` at most. */
export const MAX_HANDSHAKE_BYTES = 4096

/** The first byte of every frame. */
export const TYPE = {
  hello: 0x01,
  welcome: 0x02,
  resume: 0x03,
  resumed: 0x04,
  bye: 0x05,
  reliable: 0x10,
  state: 0x11,
  route: 0x12,
  ack: 0x20,
  ping: 0x21,
  pong: 0x22,
  token: 0x23,
} as const
/** Opens `hello` and `resume`, so that a stranger's first bytes are told apart at once. */
export const MAGIC = [0x52, 0x54, 0x53] as const
/** A route state is its place in this list. */
export const ROUTE_STATES: readonly RouteState[] = ['unbound', 'bound', 'lost']
/** Flags of `resumed`, and of `resume`. */
export const RECOVERED = 1
export const RECEIVED_KNOWN = 2
export const RESET = 1

/** What the server asks of the client for as long as the link lasts. */
export interface Terms {
  readonly heartbeatMs: number
  readonly heartbeatTimeoutMs: number
  readonly resumeWindowMs: number
  readonly maxFrameBytes: number
  readonly maxServerFrameBytes: number
  readonly messagesPerSecond: number
  readonly messageBurst: number
  readonly bytesPerSecond: number
  readonly byteBurst: number
}

/** What all frames after the handshake open with. */
export interface Acks {
  /** Number of the last reliable frame received in this session. */
  readonly ack: number
  /** Count of state frames received on this link, low 16 bits. */
  readonly stateAck: number
}

export interface HelloFrame {
  readonly type: 'hello'
  readonly minProtocol: number
  readonly maxProtocol: number
  readonly codecs: readonly string[]
  readonly compressions: readonly string[]
  /** Eight random bytes that tell this client from another one of the same account. */
  readonly instance: Uint8Array
  /** Counts the client's links: of two that arrive in the wrong order the higher one is newer. */
  readonly attempt: number
  readonly ticket: string
}
export interface WelcomeFrame {
  readonly type: 'welcome'
  readonly protocol: number
  readonly codec: string
  readonly compression: string
  readonly sessionId: string
  readonly token: Uint8Array
  readonly terms: Terms
}
export interface ResumeFrame {
  readonly type: 'resume'
  readonly protocol: number
  readonly codec: string
  readonly compression: string
  readonly sessionId: string
  readonly token: Uint8Array
  readonly attempt: number
  readonly lastReceived: number
  /** The client gave up frames of its own and asks for a clean start. */
  readonly reset: boolean
  /** The highest route epoch the client has seen: later ones must be above it. */
  readonly routeEpoch: number
}
export interface ResumedFrame {
  readonly type: 'resumed'
  readonly token: Uint8Array
  readonly recovered: boolean
  /** What the server received last; `undefined` when it cannot know. */
  readonly lastReceived: number | undefined
  readonly terms: Terms
}
export interface ByeFrame {
  readonly type: 'bye'
  readonly code: number
  readonly reason: string
}
export interface ReliableFrame extends Acks {
  readonly type: 'reliable'
  readonly seq: number
  readonly epoch: number
  readonly payload: Uint8Array
}
export interface StateFrame extends Acks {
  readonly type: 'state'
  readonly epoch: number
  readonly payload: Uint8Array
}
export interface RouteFrame extends Acks {
  readonly type: 'route'
  readonly seq: number
  readonly epoch: number
  readonly state: RouteState
  readonly name: string
}
export interface AckFrame extends Acks {
  readonly type: 'ack'
}
export interface PingFrame extends Acks {
  readonly type: 'ping' | 'pong'
  readonly time: number
}
export interface TokenFrame extends Acks {
  readonly type: 'token'
  readonly token: Uint8Array
}
/** Bytes that are no frame. `problem` is a constant text. */
export interface Malformed {
  readonly type: 'malformed'
  readonly problem: string
}

export type LiveFrame = ReliableFrame | StateFrame | AckFrame | PingFrame | ByeFrame
export type ClientFrame = HelloFrame | ResumeFrame | LiveFrame
export type ServerFrame = WelcomeFrame | ResumedFrame | RouteFrame | TokenFrame | LiveFrame
export type Frame = ClientFrame | ServerFrame

/** Bytes a data frame may need besides its payload. */
export const FRAME_OVERHEAD_BYTES = 16
