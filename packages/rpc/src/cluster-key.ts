import { createHmac, timingSafeEqual } from 'node:crypto'
import type { ClusterAuth } from './cluster-auth.ts'

const MIN_SECRET_BYTES = 16

/**
 * The cluster handshake by HMAC-SHA-256 over a shared secret.
 *
 * @param secrets - One secret, or several for rotation: the first proves, each of them is accepted. At
 * least 16 bytes each, from a random source; a password can be guessed by whoever recorded a handshake.
 */
export function clusterKey(
  secrets: string | Uint8Array | readonly (string | Uint8Array)[],
): ClusterAuth {
  const list = typeof secrets === 'string' || secrets instanceof Uint8Array ? [secrets] : secrets
  const keys = list.map((secret) => Buffer.from(secret as string))
  const [first] = keys
  if (first === undefined) throw new RangeError('clusterKey: no secret given')
  for (const key of keys) {
    if (key.length < MIN_SECRET_BYTES) {
      throw new RangeError(`clusterKey: a secret has ${key.length} bytes, at least 16 are needed`)
    }
  }
  const mac = (key: Uint8Array, challenge: Uint8Array): Buffer =>
    createHmac('sha256', key).update(challenge).digest()
  return {
    prove: (challenge) => mac(first, challenge),
    check(challenge, proof) {
      let matches = false
      for (const key of keys) {
        const wanted = mac(key, challenge)
        if (wanted.length === proof.length && timingSafeEqual(wanted, proof)) matches = true
      }
      return matches
    },
  }
}
