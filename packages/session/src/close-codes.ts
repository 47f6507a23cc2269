/**
 * What the player's side does after a close. `resume`: dial again and go on (with a login, if none
 * has succeeded yet). `fresh`: this session is over, log in for a new one. `stop`: this session is
 * over and a new one would fare no better: tell the player.
 */
export type CloseKind = 'resume' | 'fresh' | 'stop'

/**
 * Every close this package makes. The hundreds tell the kind, so a code a client has never heard
 * of still has one: 40xx resume, 41xx fresh, 42xx stop. 44xx (fresh) and 45xx to 49xx (stop) are
 * free for the application. Any other code means resume.
 */
export const CLOSE = {
  linkLost: 4000,
  heartbeatTimeout: 4001,
  slowConsumer: 4002,
  sequenceGap: 4003,
  goingAway: 4004,
  overloaded: 4005,
  handshakeTimeout: 4006,
  authTimeout: 4007,
  authUnavailable: 4008,
  ticketFailed: 4009,

  sessionUnknown: 4100,
  sessionExpired: 4101,
  tokenInvalid: 4102,
  tokenExpired: 4103,
  tokenReplayed: 4104,
  termsChanged: 4105,
  protocolError: 4110,
  frameTooLarge: 4111,
  rateLimited: 4112,

  closedByClient: 4200,
  authRefused: 4201,
  replaced: 4202,
  kicked: 4203,
  versionUnsupported: 4204,
  linkSuperseded: 4205,
} as const

export type CloseName = keyof typeof CLOSE

let names: ReadonlyMap<number, CloseName> | undefined

/** What the other end should do after a close with this code. */
export function closeKind(code: number): CloseKind {
  if (code >= 4100 && code < 4200) return 'fresh'
  if (code >= 4200 && code < 4300) return 'stop'
  if (code >= 4400 && code < 4500) return 'fresh'
  if (code >= 4500 && code < 5000) return 'stop'
  return 'resume'
}

/**
 * The same for a code that came with the close of a link, and no word of the session before it.
 * Transports have codes of their own, so only the table's hundreds mean something here.
 */
export function linkCloseKind(code: number): CloseKind {
  return code < 4300 ? closeKind(code) : 'resume'
}

/** The name of a code in the table, `app` for one of the application's, `transport` for the rest. */
export function closeName(code: number): CloseName | 'app' | 'transport' {
  names ??= new Map(
    (Object.entries(CLOSE) as [CloseName, number][]).map(([name, known]) => [known, name]),
  )
  return names.get(code) ?? (code >= 4400 && code < 5000 ? 'app' : 'transport')
}

/** A WebSocket close reason holds 123 bytes. */
const MAX_REASON_BYTES = 123
const utf8 = new TextEncoder()

/** Cuts a reason to what a close may carry, between characters. */
export function shortenReason(reason: string): string {
  if (reason.length * 3 <= MAX_REASON_BYTES) return reason
  let end = 0
  let bytes = 0
  for (const character of reason) {
    bytes += utf8.encode(character).length
    if (bytes > MAX_REASON_BYTES) break
    end += character.length
  }
  return reason.slice(0, end)
}
