import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv6 } from 'node:net'
import { checkUdpFaults, type UdpCounters, type UdpFaults, noUdpFaults } from './datagram-faults.ts'
import { DatagramLine } from './datagram-line.ts'
import { directionsOf, urlOf, type Direction, type HostAndPort } from './faults.ts'
import { seededRandom, type SeededRandom } from './seeded-random.ts'

/** Clients a proxy remembers at once; datagrams of more are lost and counted. */
const MAX_CLIENTS = 4096

export interface UdpFaultProxyOptions {
  /** Where datagrams are carried to. `host` is an IP address. */
  readonly target: HostAndPort
  /** The address to bind. @defaultValue '127.0.0.1' */
  readonly host?: string
  /** The port to bind. @defaultValue a free one */
  readonly port?: number
  /** Decides every fault. @defaultValue seededRandom(1) */
  readonly random?: SeededRandom
}

/** What has gone through a `UdpFaultProxy` since it began. */
export interface UdpFaultProxyStats {
  /** Client addresses seen. */
  readonly clients: number
  readonly toTarget: Readonly<UdpCounters>
  readonly toClient: Readonly<UdpCounters>
}

interface Client {
  readonly address: HostAndPort
  /** The socket the target sees this client at. */
  outside: Socket
}

/**
 * A UDP proxy that loses, doubles, reorders, delays and spoils what goes through it, on command and
 * by seed. Like a NAT it shows each client to the target at a port of its own.
 */
export class UdpFaultProxy implements AsyncDisposable {
  readonly host: string
  readonly port: number
  /** Where datagrams are carried to; may be changed at any time. */
  target: HostAndPort
  readonly #socket: Socket
  readonly #lines: Readonly<Record<Direction, DatagramLine>>
  readonly #clients = new Map<string, Client>()
  #closing: Promise<void> | undefined

  private constructor(socket: Socket, options: UdpFaultProxyOptions) {
    const { address, port } = socket.address()
    this.host = address
    this.port = port
    this.target = options.target
    this.#socket = socket
    const random = options.random ?? seededRandom(1)
    this.#lines = {
      toTarget: new DatagramLine(random.fork()),
      toClient: new DatagramLine(random.fork()),
    }
    socket.on('message', (datagram, from) => this.#fromClient(datagram, from))
    ignoreErrors(socket)
  }

  static async listen(options: UdpFaultProxyOptions): Promise<UdpFaultProxy> {
    const host = options.host ?? '127.0.0.1'
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
    socket.bind({ port: options.port ?? 0, address: host, exclusive: true })
    await once(socket, 'listening')
    return new UdpFaultProxy(socket, options)
  }

  /** The proxy's own address, to hand to who should send there: `udp://127.0.0.1:23456`. */
  url(scheme = 'udp'): string {
    return urlOf(scheme, this)
  }

  /** Sets the faults that are given and leaves the others. The methods below are short for this. */
  set(faults: Partial<UdpFaults>, direction?: Direction): void {
    checkUdpFaults(faults)
    for (const each of directionsOf(direction)) Object.assign(this.#lines[each].faults, faults)
  }

  /** Loses datagrams with this probability. */
  loss(chance: number, direction?: Direction): void {
    this.set({ lossProbability: chance }, direction)
  }

  /** Delivers datagrams twice with this probability. */
  duplicate(chance: number, direction?: Direction): void {
    this.set({ duplicateProbability: chance }, direction)
  }

  /** Lets the next 1 to 3 datagrams overtake one, with this probability; it waits 50 ms at most. */
  reorder(chance: number, direction?: Direction): void {
    this.set({ reorderProbability: chance }, direction)
  }

  /** Delivers `ms` later and up to `jitterMs` more, drawn for each, which reorders too. */
  delay(ms: number, jitterMs = 0, direction?: Direction): void {
    this.set({ delayMs: ms, jitterMs }, direction)
  }

  /** Flips one bit of a datagram with this probability. */
  corrupt(chance: number, direction?: Direction): void {
    this.set({ corruptProbability: chance }, direction)
  }

  /** Loses datagrams of more than `maxBytes`; 0 is off. */
  mtu(maxBytes: number, direction?: Direction): void {
    this.set({ maxBytes }, direction)
  }

  /** While on, everything is lost, what was on its way included. */
  cut(on: boolean, direction?: Direction): void {
    this.set({ isCut: on }, direction)
  }

  /** Takes back all of the above. */
  heal(): void {
    this.set(noUdpFaults())
  }

  /**
   * Gives every client a new source port towards the target, as a NAT does that has forgotten it.
   * What the target sends to the old one is lost.
   */
  async rebind(): Promise<void> {
    await Promise.all([...this.#clients.values()].map((client) => this.#rebindClient(client)))
  }

  stats(): UdpFaultProxyStats {
    return {
      clients: this.#clients.size,
      toTarget: { ...this.#lines.toTarget.counters },
      toClient: { ...this.#lines.toClient.counters },
    }
  }

  /** Stops; what is on its way is lost. Safe to call twice. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #fromClient(datagram: Buffer, from: RemoteInfo): void {
    const key = `${from.address} ${from.port}`
    const client = this.#clients.get(key) ?? this.#addClient(key, from)
    if (client === undefined) {
      this.#lines.toTarget.counters.overflowed += 1
      return
    }
    this.#lines.toTarget.pass(datagram, (bytes) => {
      if (this.#closing === undefined)
        client.outside.send(bytes, this.target.port, this.target.host)
    })
  }

  #addClient(key: string, from: RemoteInfo): Client | undefined {
    if (this.#clients.size >= MAX_CLIENTS) return undefined
    const address = { host: from.address, port: from.port }
    const client: Client = { address, outside: this.#openOutside(address) }
    this.#clients.set(key, client)
    return client
  }

  #openOutside(client: HostAndPort): Socket {
    const socket = createSocket(isIPv6(this.target.host) ? 'udp6' : 'udp4')
    socket.on('message', (datagram) => {
      this.#lines.toClient.pass(datagram, (bytes) => {
        if (this.#closing === undefined) this.#socket.send(bytes, client.port, client.host)
      })
    })
    ignoreErrors(socket)
    return socket
  }

  async #rebindClient(client: Client): Promise<void> {
    const old = client.outside
    client.outside = this.#openOutside(client.address)
    client.outside.bind({ port: 0, exclusive: true })
    await Promise.race([once(client.outside, 'listening'), once(client.outside, 'close')])
    await closeSocket(old)
  }

  async #close(): Promise<void> {
    this.#lines.toTarget.stop()
    this.#lines.toClient.stop()
    const sockets = [this.#socket, ...[...this.#clients.values()].map(({ outside }) => outside)]
    await Promise.all(sockets.map(closeSocket))
  }
}

/** An ICMP answer or a full buffer: to the ends it is one more lost datagram. */
function ignoreErrors(socket: Socket): void {
  socket.on('error', () => {})
}

function closeSocket(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.close(() => resolve())
  })
}
