import { Socket } from 'node:net'
import { atLeastZero, directionsOf, type Direction, type HostAndPort } from './faults.ts'
import type { SeededRandom } from './seeded-random.ts'
import { checkTcpFaults, TcpFaultControls, type CutOptions, type TcpFaults } from './tcp-faults.ts'
import { TcpPump } from './tcp-pump.ts'

export interface TcpProxyLinkOptions {
  readonly id: number
  readonly client: Socket
  readonly target: HostAndPort
  readonly random: SeededRandom
  readonly faults: Readonly<Record<Direction, TcpFaults>>
  readonly onPassed: (direction: Direction, bytes: number) => void
  readonly onCut: () => void
  readonly onDialFailed: () => void
  readonly onClosed: (link: TcpProxyLink) => void
}

/** One connection through a `TcpFaultProxy`: the client's socket and the one to the target. */
export class TcpProxyLink extends TcpFaultControls {
  /** Counts from 1 in the order of arrival. */
  readonly id: number
  readonly #options: TcpProxyLinkOptions
  readonly #client: Socket
  readonly #target = new Socket({ allowHalfOpen: true })
  readonly #pumps: Readonly<Record<Direction, TcpPump>>
  readonly #passed: Record<Direction, number> = { toTarget: 0, toClient: 0 }
  #isDialled = false
  #isHalf = false
  #isOpen = true

  constructor(options: TcpProxyLinkOptions) {
    super()
    this.id = options.id
    this.#options = options
    this.#client = options.client
    this.#pumps = {
      toTarget: this.#pump('toTarget', this.#client),
      toClient: this.#pump('toClient', this.#target),
    }
    this.#watch(this.#client, this.#target)
    this.#watch(this.#target, this.#client)
    this.#client.setNoDelay(true)
    this.#target.setNoDelay(true)
    this.#target.once('connect', () => {
      this.#pumps.toTarget.start(this.#target)
      this.#pumps.toClient.start(this.#client)
    })
    this.#dialUnlessStalled()
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  /** Where the client's end comes from. */
  get client(): string {
    return `${this.#client.remoteAddress}:${this.#client.remotePort}`
  }

  /** How many bytes were passed on. */
  get passed(): Readonly<Record<Direction, number>> {
    return this.#passed
  }

  cut(options: CutOptions = {}): void {
    const afterBytes = atLeastZero('afterBytes', options.afterBytes ?? 0)
    if (afterBytes === 0) this.#reset()
    else
      for (const direction of directionsOf(options.direction))
        this.#pumps[direction].cutAfter(afterBytes)
  }

  cutHalf(side: 'client' | 'target'): void {
    if (!this.#isOpen) return
    this.#isHalf = true
    this.#pumps.toTarget.stop()
    this.#pumps.toClient.stop()
    const socket = side === 'client' ? this.#client : this.#target
    socket.resetAndDestroy()
    this.#options.onCut()
  }

  set(faults: Partial<TcpFaults>, direction?: Direction): void {
    checkTcpFaults(faults)
    for (const each of directionsOf(direction)) this.#pumps[each].setFaults(faults)
    this.#dialUnlessStalled()
  }

  /** A new connection behind a lost route gets nowhere, so the target must not see it yet. */
  #dialUnlessStalled(): void {
    if (this.#isDialled || !this.#isOpen || this.#pumps.toTarget.isStalled) return
    this.#isDialled = true
    this.#target.connect({ ...this.#options.target })
  }

  #pump(direction: Direction, source: Socket): TcpPump {
    const { random, faults, onPassed } = this.#options
    return new TcpPump(source, random.fork(), faults[direction], {
      onPassed: (bytes) => {
        this.#passed[direction] += bytes
        onPassed(direction, bytes)
      },
      onCutDue: () => this.#reset(),
    })
  }

  #watch(socket: Socket, other: Socket): void {
    socket.once('error', () => {
      if (socket === this.#target && socket.remoteAddress === undefined && this.#isOpen)
        this.#options.onDialFailed()
    })
    socket.once('close', () => {
      // An end that did not end in order was reset: so is the other.
      const wasReset = socket.errored !== null || !socket.readableEnded
      if (wasReset && !this.#isHalf) this.#destroy()
      if (!this.#isDialled || other.destroyed) this.#closed()
    })
  }

  #reset(): void {
    if (!this.#isOpen) return
    this.#options.onCut()
    this.#destroy()
  }

  #destroy(): void {
    this.#pumps.toTarget.stop()
    this.#pumps.toClient.stop()
    this.#client.resetAndDestroy()
    // While it connects there is nothing to reset, and waiting for it could take minutes.
    if (this.#isDialled && !this.#target.connecting) this.#target.resetAndDestroy()
    else this.#target.destroy()
    this.#closed()
  }

  #closed(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    // What they still hold has nowhere to go, and slices of it would take a turn of the event loop each.
    this.#pumps.toTarget.stop()
    this.#pumps.toClient.stop()
    this.#options.onClosed(this)
  }
}
