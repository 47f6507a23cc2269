import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  timingSafeEqual,
  type KeyObject,
} from 'node:crypto'
import type { Random } from '../random.ts'
import type { ClientKeyExchange, DatagramCipher, KcpSecurity } from './cipher.ts'
import { keyWords } from './siphash.ts'
import { TagCipher } from './tag-cipher.ts'

const PUBLIC_BYTES = 32
const PROOF_BYTES = 16
const MIN_SECRET_BYTES = 16
/** What stands before 32 raw bytes in the DER form of X25519 keys (RFC 8410). */
const PRIVATE_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex')
const PUBLIC_PREFIX = Buffer.from('302a300506032b656e032100', 'hex')

export interface AuthenticatedOptions {
  /**
   * A secret of at least 16 bytes that both ends know: nobody without it gets a session, and nobody in the
   * middle can pass for the other end. A listener may hold several, for rotation; a client uses the first.
   * @defaultValue none: keys are agreed by X25519 alone, which keeps out everyone who is not between the two
   */
  readonly secret?: Uint8Array | readonly Uint8Array[]
}

/**
 * The built-in security: an X25519 agreement, mixed with a shared secret where there is one, gives each
 * direction a key, and every datagram carries a tag under it. Bodies are readable by those on the way.
 *
 * @throws RangeError when a secret is shorter than 16 bytes, or a list of them is empty; TypeError when it is text.
 */
export function authenticated(options: AuthenticatedOptions = {}): KcpSecurity {
  const { secret } = options
  const secrets = secret === undefined ? [] : secret instanceof Uint8Array ? [secret] : secret
  // It would let everybody in, where a list was given to keep most out.
  if (secret !== undefined && secrets.length === 0)
    throw new RangeError('secret must name one secret or more, not an empty list')
  for (const each of secrets) {
    if (!(each instanceof Uint8Array))
      throw new TypeError(`secret must be a Uint8Array or a list of them, not ${typeof each}`)
    if (each.length < MIN_SECRET_BYTES)
      throw new RangeError(`secret must have ${MIN_SECRET_BYTES} bytes or more, not ${each.length}`)
  }
  return new Authenticated(secrets.map((each) => each.slice()))
}

interface KeyPair {
  readonly key: KeyObject
  readonly publicBytes: Uint8Array
}

class Authenticated implements KcpSecurity {
  readonly #secrets: readonly Uint8Array[]
  /** The listener's. It gives authenticity, not secrecy, so it may live as long as the listener. */
  #pair: KeyPair | undefined

  constructor(secrets: readonly Uint8Array[]) {
    this.#secrets = secrets
  }

  begin(random: Random): ClientKeyExchange {
    const pair = makePair(random)
    const secret = this.#secrets[0]
    return {
      hello: Buffer.concat([pair.publicBytes, proofOf(secret, pair.publicBytes)]),
      finish: (reply, transcript) => {
        if (reply.length !== PUBLIC_BYTES) return undefined
        return makeCipher(pair, reply, reply, secret, transcript, 'client')
      },
    }
  }

  accept(
    hello: Uint8Array,
    transcript: Uint8Array,
    random: Random,
  ): { readonly reply: Uint8Array; readonly cipher: DatagramCipher } | undefined {
    if (hello.length !== PUBLIC_BYTES + PROOF_BYTES) return undefined
    const theirs = hello.subarray(0, PUBLIC_BYTES)
    const proof = hello.subarray(PUBLIC_BYTES)
    const secret = this.#secrets.find((each) => timingSafeEqual(proofOf(each, theirs), proof))
    if (secret === undefined && this.#secrets.length > 0) return undefined
    const pair = (this.#pair ??= makePair(random))
    const cipher = makeCipher(pair, theirs, pair.publicBytes, secret, transcript, 'listener')
    return cipher === undefined ? undefined : { reply: pair.publicBytes, cipher }
  }
}

function makePair(random: Random): KeyPair {
  const key = createPrivateKey({
    key: Buffer.concat([PRIVATE_PREFIX, random(32)]),
    format: 'der',
    type: 'pkcs8',
  })
  const der = createPublicKey(key).export({ format: 'der', type: 'spki' })
  return { key, publicBytes: new Uint8Array(der.subarray(PUBLIC_PREFIX.length)) }
}

/** Shows that the client knows the secret, before the listener spends a key agreement on it. */
function proofOf(secret: Uint8Array | undefined, publicBytes: Uint8Array): Uint8Array {
  if (secret === undefined) return new Uint8Array(PROOF_BYTES)
  const mac = createHmac('sha256', secret).update('rts-kcp hello').update(publicBytes).digest()
  return mac.subarray(0, PROOF_BYTES)
}

function makeCipher(
  own: KeyPair,
  theirs: Uint8Array,
  listenerPublic: Uint8Array,
  secret: Uint8Array | undefined,
  transcript: Uint8Array,
  end: 'client' | 'listener',
): TagCipher | undefined {
  let shared: Buffer
  try {
    const key = Buffer.concat([PUBLIC_PREFIX, theirs])
    const publicKey = createPublicKey({ key, format: 'der', type: 'spki' })
    shared = diffieHellman({ privateKey: own.key, publicKey })
  } catch {
    // A point of small order: no correct peer has it.
    return undefined
  }
  const input = secret === undefined ? shared : Buffer.concat([shared, secret])
  const salt = createHash('sha256').update(transcript).update(listenerPublic).digest()
  const keys = new Uint8Array(hkdfSync('sha256', input, salt, 'rts-kcp tags', 32))
  return new TagCipher(keyWords(keys), end)
}
