import {
  RpcNode,
  type Clock,
  type Link,
  type Listener,
  type Random,
  type Transport,
} from '@rts/rpc'
import type { RouteLink } from './route-link.ts'

/** The end of a route link that greets. */
class PorterLink implements Link {
  onMessage: (message: Uint8Array) => void = () => {}
  onDrain: () => void = () => {}
  onClose: (code: number, reason: string) => void = () => {}
  readonly bufferedBytes = 0
  maxMessageBytes = 0
  readonly remote: string
  readonly #link: RouteLink
  #isClosed = false

  constructor(link: RouteLink) {
    this.remote = link.remote
    this.#link = link
    link.greetedBy((message) => this.onMessage(message))
  }

  send(message: Uint8Array): boolean {
    this.#link.onMessage(message)
    return true
  }

  close(code = 1000, reason = ''): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.onClose(code, reason)
  }
}

/**
 * Shakes hands with this client's own RPC in the place of a backend. A backend takes a session's route
 * without a handshake, since its gate vouches for the player; but RPC dials, and dials again, only where
 * it is greeted. So a second node in this process greets, and then the session takes the link over.
 */
export class Porter {
  readonly #node: RpcNode
  /** By the largest message the gate takes, which the greeting tells. */
  readonly #doors = new Map<number, (link: Link) => void>()
  #opening = 0

  constructor(clock: Clock, random: Random) {
    this.#node = new RpcNode({
      id: 'gate',
      transports: [new Doorway((door) => this.#doors.set(this.#opening, door))],
      trustLoopback: true,
      clock,
      random,
    })
    // Greeting was all there was to do.
    this.#node.onPeer((peer) => peer.close())
  }

  greet(link: RouteLink, maxMessageBytes: number): void {
    if (!this.#doors.has(maxMessageBytes)) {
      this.#opening = maxMessageBytes
      void this.#node.listen('route://localhost/', { maxMessageBytes })
    }
    this.#doors.get(maxMessageBytes)?.(new PorterLink(link))
  }

  close(): Promise<void> {
    return this.#node.close()
  }
}

class Doorway implements Transport {
  readonly scheme = 'route'
  readonly #onDoor: (door: (link: Link) => void) => void

  constructor(onDoor: (door: (link: Link) => void) => void) {
    this.#onDoor = onDoor
  }

  dial(): Promise<Link> {
    return Promise.reject(new TypeError('the porter dials nobody'))
  }

  listen(url: string, _: object, onLink: (link: Link) => void): Promise<Listener> {
    this.#onDoor(onLink)
    return Promise.resolve({ url, close: () => Promise.resolve() })
  }
}
