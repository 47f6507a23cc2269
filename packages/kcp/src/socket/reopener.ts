import type { DatagramSocket } from './datagram-socket.ts'
import type { Endpoint } from './endpoint.ts'
import { openWithin } from './opening.ts'

/** A client opens sockets no more often: where nobody answers, another socket may be no better. */
const REOPEN_EVERY_MS = 2000
const OPEN_TIMEOUT_MS = 5000
/** What the system says of a socket whose own address is gone, or from which there is no way any more. */
const LOST_WAY: ReadonlySet<string | undefined> = new Set([
  'EADDRNOTAVAIL',
  'EHOSTUNREACH',
  'EINVAL',
  'ENETDOWN',
  'ENETUNREACH',
])

export const tellsOfLostWay = (error: Error): boolean =>
  LOST_WAY.has((error as { code?: string }).code)

/**
 * Gets a client another socket. One that is connected keeps the address of this host that it began with; when the
 * host moves to another network, nothing gets through it any more, though a new one would do.
 */
export class Reopener {
  readonly #endpoint: Endpoint
  readonly #isWanted: () => boolean
  readonly #use: (socket: DatagramSocket) => void
  #isOpening = false
  #openedMs = -Infinity

  /**
   * @param isWanted - Whether there is a session for it, asked before and after the opening.
   * @param use - Takes the socket.
   */
  constructor(endpoint: Endpoint, isWanted: () => boolean, use: (socket: DatagramSocket) => void) {
    this.#endpoint = endpoint
    this.#isWanted = isWanted
    this.#use = use
  }

  /** Opens one for the same other end, unless one is being opened, or was a moment ago. */
  reopen(host: string, port: number): void {
    const nowMs = this.#endpoint.now()
    if (this.#isOpening || nowMs < this.#openedMs + REOPEN_EVERY_MS || !this.#isWanted()) return
    this.#openedMs = nowMs
    this.#isOpening = true
    void this.#open(host, port)
  }

  async #open(host: string, port: number): Promise<void> {
    const { options } = this.#endpoint
    try {
      const socket = await openWithin(
        options,
        { connect: { host, port } },
        { timeoutMs: OPEN_TIMEOUT_MS },
      )
      if (this.#isWanted()) this.#use(socket)
      else void socket.close()
    } catch (error) {
      // No network at the moment, say: there will be another try.
      options.logger.debug('no other socket could be opened', {
        message: (error as Error).message,
      })
    } finally {
      this.#isOpening = false
    }
  }
}
