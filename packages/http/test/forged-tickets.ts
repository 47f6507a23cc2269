import { createHmac } from 'node:crypto'

export const OLD = 'the old secret, of 32 bytes or so'
export const NEW = 'the new secret, of 32 bytes or so'
export const WALL_MS: number = Date.UTC(2030, 0, 1)

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A token made by hand, as an attacker or another program could. */
export function forge(header: unknown, payload: unknown, secret = OLD, hash = 'sha256'): string {
  const input = `${encode(header)}.${encode(payload)}`
  return `${input}.${createHmac(hash, secret).update(input).digest('base64url')}`
}

export const NOW: number = WALL_MS / 1_000
export const PAYLOAD: Readonly<Record<string, unknown>> = {
  iss: 'rts',
  sub: 'ann',
  jti: 'x',
  iat: NOW,
  exp: NOW + 60,
}
export const HEADER: Readonly<Record<string, unknown>> = { alg: 'HS256', typ: 'JWT' }

/** What must never open anything, for a desk with the secret `OLD` at the time `NOW`. */
export const BAD_TICKETS: readonly (readonly [what: string, ticket: string])[] = [
  ['nothing', ''],
  ['words', 'let me in'],
  ['three words', 'let.me.in'],
  ['a ticket signed with another secret', forge(HEADER, PAYLOAD, NEW)],
  ['a ticket that was changed', forge(HEADER, PAYLOAD).replace('.', 'A.')],
  ['an unsigned ticket', `${encode({ alg: 'none' })}.${encode(PAYLOAD)}.`],
  ['an unsigned ticket that says HS256', `${encode(HEADER)}.${encode(PAYLOAD)}.`],
  ['another algorithm', forge({ ...HEADER, alg: 'HS512' }, PAYLOAD, OLD, 'sha512')],
  ['another issuer', forge(HEADER, { ...PAYLOAD, iss: 'someone' })],
  ['no issuer', forge(HEADER, { ...PAYLOAD, iss: undefined })],
  ['no account', forge(HEADER, { ...PAYLOAD, sub: undefined })],
  ['an empty account', forge(HEADER, { ...PAYLOAD, sub: '' })],
  ['an account that is no text', forge(HEADER, { ...PAYLOAD, sub: 7 })],
  ['no end', forge(HEADER, { ...PAYLOAD, exp: undefined })],
  ['an end that is no number', forge(HEADER, { ...PAYLOAD, exp: 'never' })],
  ['an unknown key', forge({ ...HEADER, kid: 'other' }, PAYLOAD)],
  ['a payload that is no object', forge(HEADER, 'ann')],
  ['a payload that is null', forge(HEADER, null)],
  ['an array', forge(HEADER, [PAYLOAD])],
  ['a critical header nobody knows', forge({ ...HEADER, crit: ['x'], x: 1 }, PAYLOAD)],
]
