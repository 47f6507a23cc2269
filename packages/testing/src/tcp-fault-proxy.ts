import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { TestingError } from './errors.ts'
import { atLeastZero, directionsOf, urlOf, type Direction, type HostAndPort } from './faults.ts'
import { freePort } from './free-port.ts'
import { seededRandom, type SeededRandom } from './seeded-random.ts'
import {
  checkTcpFaults,
  noTcpFaults,
  TcpFaultControls,
  type CutOptions,
  type TcpFaults,
} from './tcp-faults.ts'
import { TcpProxyLink } from './tcp-proxy-link.ts'

export interface TcpFaultProxyOptions {
  /** Where connections are carried to. */
  readonly target: HostAndPort
  /** The address to listen on. @defaultValue '127.0.0.1' */
  readonly host?: string
  /** The port to listen on. @defaultValue a free one */
  readonly port?: number
  /** Decides jitter, slices and corruption. @defaultValue seededRandom(1) */
  readonly random?: SeededRandom
}

/** What has gone through a `TcpFaultProxy` since it began. */
export interface TcpFaultProxyStats {
  /** Links that are open now. */
  readonly open: number
  readonly accepted: number
  /** Connections that ended because the target could not be reached. */
  readonly dialsFailed: number
  /** Links that were reset by `cut` or `cutHalf`. */
  readonly cuts: number
  readonly bytesToTarget: number
  readonly bytesToClient: number
}

/**
 * A TCP proxy that breaks what goes through it, on command. Its own methods act on all links,
 * those to come included (but for `cut`); each entry of `links` has the same methods for itself.
 */
export class TcpFaultProxy extends TcpFaultControls implements AsyncDisposable {
  readonly host: string
  readonly port: number
  /** Where new connections are carried to; may be changed at any time. */
  target: HostAndPort
  readonly #random: SeededRandom
  readonly #links = new Set<TcpProxyLink>()
  readonly #faults: Readonly<Record<Direction, TcpFaults>> = {
    toTarget: noTcpFaults(),
    toClient: noTcpFaults(),
  }
  readonly #linkListeners = new Set<(link: TcpProxyLink) => void>()
  readonly #bytes: Record<Direction, number> = { toTarget: 0, toClient: 0 }
  #server: Server | undefined
  #relisten: Promise<void> = Promise.resolve()
  #isRefusing = false
  #closing: Promise<void> | undefined
  #accepted = 0
  #dialsFailed = 0
  #cuts = 0

  private constructor(server: Server, options: TcpFaultProxyOptions) {
    super()
    const { address, port } = server.address() as AddressInfo
    this.host = address
    this.port = port
    this.target = options.target
    this.#random = options.random ?? seededRandom(1)
    this.#serve(server)
  }

  static async listen(options: TcpFaultProxyOptions): Promise<TcpFaultProxy> {
    // Not port 0: that is a port outgoing connections may take while `refuse` has it free.
    const port = options.port ?? (await freePort())
    return new TcpFaultProxy(await listenOn(options.host ?? '127.0.0.1', port), options)
  }

  /** The links that are open now, oldest first. */
  get links(): readonly TcpProxyLink[] {
    return [...this.#links]
  }

  /** The proxy's own address, to hand to who should connect: `tcp://127.0.0.1:23456`. */
  url(scheme = 'tcp'): string {
    return urlOf(scheme, this)
  }

  /** Calls for each new link before its first byte passes. Returns the undo. */
  onLink(listener: (link: TcpProxyLink) => void): () => void {
    this.#linkListeners.add(listener)
    return () => this.#linkListeners.delete(listener)
  }

  /**
   * While on, nobody listens at the port: connecting fails with `ECONNREFUSED`. Links that are open
   * stay. On takes effect at once, off when the promise resolves.
   */
  async refuse(on: boolean): Promise<void> {
    this.#assertOpen()
    this.#isRefusing = on
    if (on) {
      this.#server?.close()
      this.#server = undefined
    } else {
      this.#relisten = this.#relisten.catch(() => {}).then(() => this.#listenAgain())
    }
    await this.#relisten
  }

  set(faults: Partial<TcpFaults>, direction?: Direction): void {
    checkTcpFaults(faults)
    for (const each of directionsOf(direction)) Object.assign(this.#faults[each], faults)
    for (const link of this.#links) link.set(faults, direction)
  }

  cut(options: CutOptions = {}): void {
    atLeastZero('afterBytes', options.afterBytes ?? 0)
    for (const link of this.#links) link.cut(options)
  }

  cutHalf(side: 'client' | 'target'): void {
    for (const link of this.#links) link.cutHalf(side)
  }

  stats(): TcpFaultProxyStats {
    return {
      open: this.#links.size,
      accepted: this.#accepted,
      dialsFailed: this.#dialsFailed,
      cuts: this.#cuts,
      bytesToTarget: this.#bytes.toTarget,
      bytesToClient: this.#bytes.toClient,
    }
  }

  /** Stops listening and resets every link. Safe to call twice. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #listenAgain(): Promise<void> {
    if (this.#server !== undefined) return
    const server = await listenOn(this.host, this.port)
    // Things may have changed while it began to listen.
    if (this.#isRefusing || this.#closing !== undefined) server.close()
    else this.#serve(server)
  }

  async #close(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    this.cut()
    const closed = server && new Promise((resolve) => server.close(resolve))
    await Promise.allSettled([closed, this.#relisten])
  }

  #serve(server: Server): void {
    this.#server = server
    server.on('connection', (client) => this.#accept(client))
  }

  #accept(client: Socket): void {
    this.#accepted += 1
    const link = new TcpProxyLink({
      id: this.#accepted,
      client,
      target: this.target,
      random: this.#random.fork(),
      faults: this.#faults,
      onPassed: (direction, bytes) => {
        this.#bytes[direction] += bytes
      },
      onCut: () => {
        this.#cuts += 1
      },
      onDialFailed: () => {
        this.#dialsFailed += 1
      },
      onClosed: (closed) => this.#links.delete(closed),
    })
    this.#links.add(link)
    for (const listener of this.#linkListeners) listener(link)
  }

  #assertOpen(): void {
    if (this.#closing !== undefined)
      throw new TestingError('TESTING_PROXY_CLOSED', `the proxy at ${this.url()} is closed`)
  }
}

function listenOn(host: string, port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true })
    server.once('error', reject)
    server.listen({ host, port, exclusive: true }, () => resolve(server))
  })
}
