import { CLOSE } from '../close-codes.ts'
import { SERVER_MESSAGE_BYTES } from '../limits.ts'
import type { Link } from '../link.ts'
import type { RpcPeer } from '../peer.ts'
import { serviceRemote } from '../remote.ts'
import type { Ctor, Remote } from '../remote-types.ts'
import { ClientCalls } from './client-calls.ts'
import type { ClientHost } from './client-host.ts'
import { ClientPeer } from './client-peer.ts'

export interface DestinationOptions {
  /** While there is no link, calls fail with what this returns. @defaultValue they wait, within their deadlines */
  readonly whenAway?: (() => Error) | undefined
}

export interface AttachClientOptions {
  /** The largest message taken. @defaultValue 16 MiB */
  readonly maxReceiveBytes?: number
  /** The largest message the other end takes; above it a call fails here with `RPC_TOO_LARGE`. @defaultValue 16 MiB */
  readonly maxSendBytes?: number
}

/** A server by name. Links to it come and go; its remotes stay, and calls made between two links wait for the next. */
export class Destination {
  readonly #host: ClientHost
  readonly #name: string
  readonly #calls: ClientCalls
  #peer: ClientPeer | undefined

  constructor(host: ClientHost, name: string, options: DestinationOptions) {
    this.#host = host
    this.#name = name
    this.#calls = new ClientCalls(host, name, options.whenAway)
  }

  /** A service of it, as far as it is open to players. */
  service<C extends Ctor>(name: string): Remote<C, 'player'> {
    return serviceRemote(this.#calls, name) as Remote<C, 'player'>
  }

  /** There is a link to it now, which RPC runs on; the one before, if it is open, is closed. */
  attach(link: Link, options: AttachClientOptions = {}): RpcPeer {
    this.#peer?.close(CLOSE.goingAway, 'a newer link took over')
    this.#peer = new ClientPeer(this.#host, link, this.#calls, {
      name: this.#name,
      maxReceiveBytes: options.maxReceiveBytes ?? SERVER_MESSAGE_BYTES,
      maxSendBytes: options.maxSendBytes ?? SERVER_MESSAGE_BYTES,
    })
    return this.#peer as unknown as RpcPeer
  }

  /** Ends its link, and what waits for one. */
  close(): void {
    this.#peer?.close(CLOSE.goingAway, 'the client is closed')
    this.#calls.close()
  }
}
