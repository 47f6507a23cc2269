import { transportFor } from './address.ts'
import { CLOSE } from './close-codes.ts'
import { RpcError } from './errors.ts'
import { DialerHandshake, ListenerHandshake, type HandshakeSelf } from './handshake.ts'
import { bufferedBytesFor, SERVER_MESSAGE_BYTES } from './limits.ts'
import type { Link, LinkOptions, Transport } from './link.ts'
import type { NodeHost } from './node-host.ts'
import type { PeerFacts, RpcPeer } from './peer.ts'

export interface ConnectorOptions {
  readonly host: NodeHost
  readonly self: HandshakeSelf
  readonly transports: readonly Transport[]
  readonly connectTimeoutMs: number
  /** Somebody has shaken hands; runs at once, before its first message. */
  readonly onPeer: (peer: RpcPeer) => void
}

/** Turns addresses and accepted links into peers: dials, shakes hands, gives up in time. */
export class Connector {
  readonly #host: NodeHost
  readonly #self: HandshakeSelf
  readonly #transports: readonly Transport[]
  readonly #connectTimeoutMs: number
  readonly #onPeer: (peer: RpcPeer) => void
  readonly #greetings = new Set<ListenerHandshake>()
  #closed: RpcError | undefined

  constructor(options: ConnectorOptions) {
    this.#host = options.host
    this.#self = options.self
    this.#transports = options.transports
    this.#connectTimeoutMs = options.connectTimeoutMs
    this.#onPeer = options.onPeer
  }

  /** Takes no further links and drops those still shaking hands. */
  close(error: RpcError): void {
    this.#closed = error
    for (const greeting of this.#greetings) greeting.fail(CLOSE.goingAway, error)
  }

  /** Dials once. Exactly one of `reached` and `failed` is called later, or none after the returned undo. */
  dial(url: string, reached: (peer: RpcPeer) => void, failed: (error: Error) => void): () => void {
    const controller = new AbortController()
    let handshake: DialerHandshake | undefined
    let isOver = false
    const finish = (): boolean => {
      if (isOver) return false
      isOver = true
      cancelTimer()
      return true
    }
    const fail = (error: Error): void => {
      if (finish()) failed(error)
    }
    const stop = (error: RpcError): void => {
      controller.abort(error)
      handshake?.fail(CLOSE.handshakeTimeout, error)
    }
    const cancelTimer = this.#host.clock.setTimer(this.#connectTimeoutMs, () => {
      const text = `${url} did not answer within ${this.#connectTimeoutMs} ms`
      const error = new RpcError('RPC_CONNECT_FAILED', text)
      fail(error)
      stop(error)
    })
    this.#open(url, controller.signal).then((link) => {
      if (isOver) {
        link.close()
        return
      }
      handshake = new DialerHandshake(this.#self, link, url, SERVER_MESSAGE_BYTES, {
        done: (facts) => {
          if (finish()) reached(this.#adopt(link, facts))
          else link.close()
        },
        failed: (error) => {
          this.#count(error)
          fail(error)
        },
      })
    }, fail)
    return () => {
      if (finish()) stop(new RpcError('RPC_CLOSED', `the dial to ${url} is no longer wanted`))
    }
  }

  /** Shakes hands with whoever dialled this link. */
  greet(link: Link, options: LinkOptions): void {
    const { clock, logger } = this.#host
    if (this.#closed !== undefined) {
      link.close(CLOSE.goingAway, this.#closed.message)
      return
    }
    const cancelTimer = clock.setTimer(this.#connectTimeoutMs, () => {
      const text = `${link.remote} did not shake hands within ${this.#connectTimeoutMs} ms`
      greeting.fail(CLOSE.handshakeTimeout, new RpcError('RPC_TIMEOUT', text))
    })
    const over = (): void => {
      cancelTimer()
      this.#greetings.delete(greeting)
    }
    const { trust, maxMessageBytes } = options
    const greeting = new ListenerHandshake(this.#self, link, trust, maxMessageBytes, {
      done: (facts) => {
        over()
        if (trust === 'server' && facts.caller === 'player') limitBuffer(link)
        this.#adopt(link, facts)
      },
      failed: (error) => {
        over()
        this.#count(error)
        const { code, message } = error
        logger.debug('rpc handshake failed', { code, message, remote: link.remote })
      },
    })
    this.#greetings.add(greeting)
  }

  async #open(url: string, signal: AbortSignal): Promise<Link> {
    if (this.#closed !== undefined) throw this.#closed
    const transport = transportFor(this.#transports, url)
    const { clock } = this.#host
    return transport.dial(url, { trust: 'server', clock, random: this.#self.random, signal })
  }

  #adopt(link: Link, facts: PeerFacts): RpcPeer {
    const peer = this.#host.adopt(link, facts)
    this.#onPeer(peer)
    return peer
  }

  #count(error: RpcError): void {
    if (error.code === 'RPC_UNAUTHORIZED') this.#host.counters.unauthorized += 1
    if (error.code === 'RPC_PROTOCOL') this.#host.counters.protocolErrors += 1
  }
}

/** A player on a listener for servers is given no more room than on one for players. */
function limitBuffer(link: Link): void {
  if (link.maxBufferedBytes === undefined) return
  link.maxBufferedBytes = Math.min(link.maxBufferedBytes, bufferedBytesFor('player'))
}
