/** Random bytes that whoever is at an address must send back from there. */
export const CHALLENGE_BYTES = 8
const RETRY_MS = 200
/** Small datagrams for the one that came: an address that is not proven gets no more. */
const TRIES = 3

/** An address from which an authentic datagram came, until it has shown that it can receive there too. */
export class PathChallenge {
  readonly address: string
  readonly port: number
  readonly bytes: Uint8Array
  dueMs: number
  #tries = 0

  constructor(address: string, port: number, bytes: Uint8Array, nowMs: number) {
    this.address = address
    this.port = port
    this.bytes = bytes
    this.dueMs = nowMs
  }

  isFor(address: string, port: number): boolean {
    return this.port === port && this.address === address
  }

  isAnsweredBy(response: Uint8Array): boolean {
    return response.every((byte, i) => byte === this.bytes[i])
  }

  /** Whether it is to be asked again; it was asked often enough otherwise. */
  tryAgain(nowMs: number): boolean {
    if (this.#tries === TRIES) return false
    this.#tries += 1
    this.dueMs = nowMs + RETRY_MS
    return true
  }
}
