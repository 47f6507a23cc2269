import { createCipheriv, createDecipheriv, createHash } from 'node:crypto'
import type { TokenSealer } from '@rts/session'
import type { Random } from '@rts/rpc'

const KEY_BYTES = 32
const KEY_ID_BYTES = 4
const NONCE_BYTES = 12
const TAG_BYTES = 16
const VERSION = 1
const HEADER_BYTES = 1 + KEY_ID_BYTES
const OVERHEAD_BYTES = HEADER_BYTES + NONCE_BYTES + TAG_BYTES
/** A resume record is far smaller; more is not one of ours. */
const MAX_TOKEN_BYTES = 4096
const CIPHER = 'aes-256-gcm'

interface SealKey {
  readonly key: Uint8Array
  readonly header: Uint8Array
}

/**
 * Seals resume tokens with AES-256-GCM, so that any gate holding a key can open what another sealed:
 * `version (1) | key id (4) | nonce (12) | ciphertext | tag (16)`.
 *
 * @param keys - 32 bytes each. The first one seals, all of them open: to rotate, put the new key
 *   last on every gate, then first on every gate, then drop the old one when its tokens are over.
 * @throws RangeError when there is no key, or one is not 32 bytes long.
 */
export function tokenSealer(keys: Uint8Array | readonly Uint8Array[], random: Random): TokenSealer {
  const sealKeys = (keys instanceof Uint8Array ? [keys] : keys).map(sealKey)
  const first = sealKeys[0]
  if (first === undefined) throw new RangeError('tokenKey must hold at least one key')
  return {
    seal: (record) => seal(first, record, random(NONCE_BYTES)),
    open: (token) => {
      if (token.length < OVERHEAD_BYTES || token.length > MAX_TOKEN_BYTES) return undefined
      for (const candidate of sealKeys) {
        if (startsWith(token, candidate.header)) return open(candidate, token)
      }
      return undefined
    },
  }
}

function sealKey(key: Uint8Array): SealKey {
  if (key.length !== KEY_BYTES)
    throw new RangeError(`tokenKey must be ${KEY_BYTES} bytes, not ${key.length}`)
  const id = createHash('sha256').update('rts-gate-token-key').update(key).digest()
  const header = new Uint8Array(HEADER_BYTES)
  header[0] = VERSION
  header.set(id.subarray(0, KEY_ID_BYTES), 1)
  return { key: Uint8Array.from(key), header }
}

function seal({ key, header }: SealKey, record: Uint8Array, nonce: Uint8Array): Uint8Array {
  const cipher = createCipheriv(CIPHER, key, nonce)
  cipher.setAAD(header)
  const token = new Uint8Array(OVERHEAD_BYTES + record.length)
  token.set(header)
  token.set(nonce, HEADER_BYTES)
  token.set(cipher.update(record), HEADER_BYTES + NONCE_BYTES)
  cipher.final()
  token.set(cipher.getAuthTag(), token.length - TAG_BYTES)
  return token
}

function open({ key, header }: SealKey, token: Uint8Array): Uint8Array | undefined {
  const nonce = token.subarray(HEADER_BYTES, HEADER_BYTES + NONCE_BYTES)
  const decipher = createDecipheriv(CIPHER, key, nonce)
  decipher.setAAD(header)
  decipher.setAuthTag(token.subarray(token.length - TAG_BYTES))
  const record = decipher.update(
    token.subarray(HEADER_BYTES + NONCE_BYTES, token.length - TAG_BYTES),
  )
  try {
    decipher.final()
  } catch {
    return undefined
  }
  return new Uint8Array(record)
}

function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  for (let index = 0; index < prefix.length; index += 1) {
    if (bytes[index] !== prefix[index]) return false
  }
  return true
}
