import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'

const VERSION = 1
/** Bytes of a sealed token: it has to fit a handshake beside the rest. */
const MAX_TOKEN_BYTES = 2048

/** What a resume token holds: all that a server needs to know the session again, here or elsewhere. */
export interface ResumeRecord {
  readonly sessionId: string
  readonly account: string
  /** The link epoch the token was issued under. */
  readonly linkEpoch: number
  /** Names the clean start from which the lanes count: 48 random bits. */
  readonly run: number
  /** Wall-clock milliseconds from which the token is refused. */
  readonly expiresAt: number
}

/**
 * Seals records so that only servers can make or read them (AES-GCM with a shared key does).
 * Both are synchronous; `open` answers `undefined` for anything that was not sealed with its keys.
 */
export interface TokenSealer {
  seal(record: Uint8Array): Uint8Array
  open(token: Uint8Array): Uint8Array | undefined
}

export function sealRecord(sealer: TokenSealer, record: ResumeRecord): Uint8Array {
  const writer = new ByteWriter().u8(VERSION).shortText(record.sessionId)
  writer.shortText(record.account).u32(record.linkEpoch)
  for (const value of [record.run, record.expiresAt])
    writer.u32(value >>> 0).u16(Math.floor(value / 0x1_0000_0000))
  const token = sealer.seal(writer.finish())
  if (token.length > MAX_TOKEN_BYTES) {
    throw new RangeError(`a sealed token of ${token.length} bytes, at most ${MAX_TOKEN_BYTES}`)
  }
  return token
}

/** `undefined` for a token that is not of this deployment. */
export function openToken(sealer: TokenSealer, token: Uint8Array): ResumeRecord | undefined {
  const bytes = openSealed(sealer, token)
  if (bytes === undefined) return undefined
  const reader = new ByteReader(bytes)
  if (reader.u8() !== VERSION) return undefined
  const record: ResumeRecord = {
    sessionId: reader.shortText(),
    account: reader.shortText(),
    linkEpoch: reader.u32(),
    run: readU48(reader),
    expiresAt: readU48(reader),
  }
  return reader.isComplete ? record : undefined
}

/** As milliseconds of the wall clock they last until the year 10889. */
const readU48 = (reader: ByteReader): number => reader.u32() + reader.u16() * 0x1_0000_0000

function openSealed(sealer: TokenSealer, token: Uint8Array): Uint8Array | undefined {
  try {
    return sealer.open(token)
  } catch {
    // Ciphers like to throw at bytes they did not make.
    return undefined
  }
}
