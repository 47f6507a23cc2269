import type { Random } from '../random.ts'

/**
 * Protects the datagrams of one session. What the built-in `authenticated` security makes adds a tag and
 * leaves the body readable; another may encrypt too. It is handed every datagram once and keeps no copy.
 */
export interface DatagramCipher {
  /** Bytes a sealed body is longer than its plain one, at most 64. */
  readonly overheadBytes: number
  /**
   * Seals `bytes[bodyStart, bodyEnd)` in place, bound to `bytes[headerStart, bodyStart)`; there is room for
   * `overheadBytes` behind it. `counter` is used once per direction.
   *
   * @returns The end of what is sealed.
   */
  seal(
    bytes: Uint8Array,
    headerStart: number,
    bodyStart: number,
    bodyEnd: number,
    counter: number,
  ): number
  /**
   * Opens what `seal` made, in place. Any bytes may come.
   *
   * @returns The end of the body, or -1 when it is not authentic; the bytes are then unspecified.
   */
  open(
    bytes: Uint8Array,
    headerStart: number,
    bodyStart: number,
    end: number,
    counter: number,
  ): number
}

/** The dialing end's half of agreeing on a cipher. */
export interface ClientKeyExchange {
  /** Goes out in the hello, at most 900 bytes. */
  readonly hello: Uint8Array
  /**
   * @param reply - What the listener's `accept` answered.
   * @param transcript - The datagram the listener was shown, to bind the keys to.
   * @returns The cipher; `undefined` when the reply does not fit.
   */
  finish(reply: Uint8Array, transcript: Uint8Array): DatagramCipher | undefined
}

/** How two ends agree on a cipher within the handshake: one question and one answer. */
export interface KcpSecurity {
  begin(random: Random): ClientKeyExchange
  /**
   * Called for clients whose address is proven, so it may cost something; any bytes may come.
   *
   * @returns `undefined` refuses the client.
   */
  accept(
    hello: Uint8Array,
    transcript: Uint8Array,
    random: Random,
  ): { readonly reply: Uint8Array; readonly cipher: DatagramCipher } | undefined
}
