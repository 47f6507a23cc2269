import { MAX_DATAGRAM_BYTES } from '../datagram.ts'
import { whole } from '../options.ts'
import { envelopeBytes } from './envelope.ts'

/** How to talk to a plain KCP peer, which knows no handshake. Both ends must have the same. */
export interface RawOptions {
  /** `crc`: 16 random bytes and a CRC-32 stand before the segments, as kcp-go sends without FEC and with a null cipher. @defaultValue 'none' */
  readonly envelope?: 'none' | 'crc'
  /** `messages` as the C original has them, or `stream`, which kcp-go needs. @defaultValue 'messages' */
  readonly framing?: 'messages' | 'stream'
  /** KCP's MTU, 50 to 1500 less the 20 bytes of the envelope. @defaultValue 1400 */
  readonly mtu?: number
}

/** KCP's own floor. */
const MIN_MTU_BYTES = 50

/**
 * Looks at what only plain peers have options for, before there is a socket: what a conversation refuses later, it
 * would refuse at the first datagram of anybody.
 *
 * @throws RangeError when one is out of range.
 */
export function checkRaw({
  envelope = 'none',
  framing = 'messages',
  mtu = 1400,
}: RawOptions): void {
  if (envelope !== 'none' && envelope !== 'crc')
    throw new RangeError(`envelope must be none or crc, not ${String(envelope)}`)
  if (framing !== 'messages' && framing !== 'stream')
    throw new RangeError(`framing must be messages or stream, not ${String(framing)}`)
  whole({ mtu }, 'mtu', MIN_MTU_BYTES, MAX_DATAGRAM_BYTES - envelopeBytes({ envelope }))
}
