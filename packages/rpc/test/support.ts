import { seededRandom, SteppedClock, type SeededRandom } from '@rts/testing'
import {
  RpcNode,
  type RpcError,
  settle,
  type Link,
  type RpcNodeOptions,
  type RpcPeer,
} from '../src/index.ts'
import { SimNetwork, type SimNetworkOptions } from '../src/sim.ts'

/** A cluster in one process: simulated links, a stepped clock, one seed. */
export class SimCluster {
  readonly clock: SteppedClock = new SteppedClock()
  readonly random: SeededRandom
  readonly network: SimNetwork
  readonly nodes: RpcNode[] = []

  constructor(seed = 1, options: Partial<SimNetworkOptions> = {}) {
    this.random = seededRandom(seed)
    const { clock, random } = this
    this.network = new SimNetwork({ clock, random, ...options })
  }

  node(id: string, options: Partial<RpcNodeOptions> = {}): RpcNode {
    const node = new RpcNode({
      id,
      transports: [this.network.host(id)],
      trustLoopback: true,
      clock: this.clock,
      random: this.random,
      ...options,
    })
    this.nodes.push(node)
    return node
  }

  /** Waits for a promise while time runs. */
  async result<T>(promise: PromiseLike<T>, limitMs = 60_000): Promise<T> {
    let isSettled = false
    const settled = settle(promise).then((pair) => {
      isSettled = true
      return pair
    })
    await this.clock.runUntil(() => isSettled, { limitMs })
    const [error, value] = await settled
    if (error !== undefined) throw error
    return value as T
  }

  /** The error a promise is rejected with. */
  async failure(promise: PromiseLike<unknown>, limitMs?: number): Promise<RpcError> {
    const outcome = this.result(promise, limitMs)
    const [error] = await settle(outcome)
    if (error === undefined) throw new Error('it did not fail')
    return error as RpcError
  }

  /** Two nodes, `a` listening, `b` connected: both ends of the link. */
  async pair(
    a: RpcNode,
    b: RpcNode,
    url = `sim://${a.id}:1`,
  ): Promise<{ atA: RpcPeer; atB: RpcPeer }> {
    let atA: RpcPeer | undefined
    const undo = a.onPeer((peer) => {
      atA = peer
    })
    await a.listen(url)
    const atB = await this.result(b.connect(url))
    undo()
    if (atA === undefined) throw new Error('the listener saw nobody')
    return { atA, atB }
  }
}

/** A link whose other end is the test. */
export class FakeLink implements Link {
  readonly remote: string = 'fake://there'
  bufferedBytes = 0
  isFull = false
  readonly sent: Uint8Array[] = []
  closed: { code: number | undefined; reason: string | undefined } | undefined
  onMessage: (message: Uint8Array, unreliable?: boolean) => void = () => {}
  onDrain: () => void = () => {}
  onClose: (code: number, reason: string) => void = () => {}

  send(message: Uint8Array): boolean {
    this.sent.push(new Uint8Array(message))
    return !this.isFull
  }

  close(code?: number, reason?: string): void {
    this.closed ??= { code, reason }
  }

  /** What was sent since the last time, as hexadecimal text. */
  takeHex(): string[] {
    return this.sent.splice(0).map(hex)
  }
}

export const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ')

export const unhex = (text: string): Uint8Array =>
  Uint8Array.from(text.match(/[0-9a-f]{2}/g) ?? [], (pair) => Number.parseInt(pair, 16))
