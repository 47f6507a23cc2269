import type { CLOSE } from './close-codes.ts'

// The codes that clients give too, each by itself: a bundle then holds no more of the table than it uses.

export const CLOSED_BY_CLIENT: typeof CLOSE.closedByClient = 4200
export const FRAME_TOO_LARGE: typeof CLOSE.frameTooLarge = 4111
export const HANDSHAKE_TIMEOUT: typeof CLOSE.handshakeTimeout = 4006
export const HEARTBEAT_TIMEOUT: typeof CLOSE.heartbeatTimeout = 4001
export const LINK_LOST: typeof CLOSE.linkLost = 4000
export const PROTOCOL_ERROR: typeof CLOSE.protocolError = 4110
export const RATE_LIMITED: typeof CLOSE.rateLimited = 4112
export const SEQUENCE_GAP: typeof CLOSE.sequenceGap = 4003
export const SLOW_CONSUMER: typeof CLOSE.slowConsumer = 4002
export const TICKET_FAILED: typeof CLOSE.ticketFailed = 4009
export const VERSION_UNSUPPORTED: typeof CLOSE.versionUnsupported = 4204
