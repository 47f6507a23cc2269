import type { DatagramSocket, Siblings } from '../datagram-socket.ts'
import { FLOOD_CALM_MS } from './retry-budget.ts'

/** Each is a socket; older systems search through all of one port. */
const MAX_SHELTERS = 1024
/** Opening one takes a tenth of a millisecond, which others wait for. */
const MAX_OPENING = 8

/** What has a shelter, or may get one. */
export interface Sheltered {
  address: string
  port: number
  /** The flood during which it got one; 0 for none. */
  shelterFlood: number
}

/**
 * Sockets of their own for sessions, while the port is flooded. What comes from an address that has a socket
 * connected to it does not wait in the queue of the port behind the flood, nor is it dropped when that is full.
 */
export class Shelters {
  readonly #siblings: Pick<Siblings, 'connected'> | undefined
  readonly #deliver: (bytes: Uint8Array, address: string, port: number) => void
  readonly #sockets = new Map<string, DatagramSocket | undefined>()
  #opening = 0
  #flood = 1
  #floodedMs = -Infinity
  #isUsable: boolean

  /** @param siblings - Of the port's socket. Without them there are no shelters. */
  constructor(
    siblings: Pick<Siblings, 'connected'> | undefined,
    deliver: (bytes: Uint8Array, address: string, port: number) => void,
  ) {
    this.#siblings = siblings
    this.#isUsable = siblings !== undefined
    this.#deliver = deliver
  }

  get size(): number {
    return this.#sockets.size
  }

  get isFlooded(): boolean {
    return this.#floodedMs !== -Infinity
  }

  /** What goes to that address by a socket of its own, which asks no other thread. */
  socketFor(address: string, port: number): DatagramSocket | undefined {
    return this.#sockets.size === 0 ? undefined : this.#sockets.get(`${address} ${port}`)
  }

  /** More comes than is looked at. */
  flooded(nowMs: number): void {
    this.#floodedMs = nowMs
  }

  /** An authentic datagram of this session has come by the port. */
  heard(session: Sheltered): void {
    if (!this.isFlooded || session.shelterFlood === this.#flood) return
    if (!this.#isUsable || this.#opening === MAX_OPENING) return
    const { address, port } = session
    const key = `${address} ${port}`
    if (this.#sockets.has(key)) {
      session.shelterFlood = this.#flood
      return
    }
    if (this.#sockets.size >= MAX_SHELTERS) return
    session.shelterFlood = this.#flood
    this.#sockets.set(key, undefined)
    void this.#add(key, address, port, this.#flood)
  }

  /** A session has left this address. */
  left(address: string, port: number): void {
    const key = `${address} ${port}`
    void this.#sockets.get(key)?.close()
    this.#sockets.delete(key)
  }

  /** Once the flood is over the sockets are closed; what is in their queues is sent again. */
  expire(nowMs: number): void {
    if (nowMs - this.#floodedMs > FLOOD_CALM_MS) this.close()
  }

  close(): void {
    if (!this.isFlooded) return
    this.#floodedMs = -Infinity
    this.#flood += 1
    this.#isUsable = this.#siblings !== undefined
    for (const socket of this.#sockets.values()) void socket?.close()
    this.#sockets.clear()
  }

  async #add(key: string, address: string, port: number, flood: number): Promise<void> {
    this.#opening += 1
    try {
      const socket = await this.#siblings!.connected(address, port)
      // Before it was connected the system may have given it what anybody sent.
      socket.onDatagram = this.#deliver
      const isWanted = flood === this.#flood && this.#sockets.has(key)
      if (isWanted && this.#sockets.get(key) === undefined) this.#sockets.set(key, socket)
      else void socket.close()
    } catch {
      // No more files, or a system that does not do it: in this flood sessions stay where they are.
      this.#isUsable = false
      this.#sockets.delete(key)
    } finally {
      this.#opening -= 1
    }
  }
}
