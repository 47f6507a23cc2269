import type { RpcTable } from '@rts/rpc'
import { SimNetwork } from '@rts/rpc/sim'
import { seededRandom, SteppedClock, type SeededRandom } from '@rts/testing'
import { Client, type ClientOptions } from '../../src/index.ts'
import { TestGate } from './test-gate.ts'

export class Chat {
  static readonly rpc = {
    say: 'player',
    wait: 'player',
    note: 'player',
    ban: 'server',
  } as const satisfies RpcTable<Chat>
  readonly said: string[] = []
  readonly noted: number[] = []
  say(text: string): number {
    return this.said.push(text)
  }
  wait(): Promise<string> {
    return new Promise(() => {})
  }
  note(value: number): void {
    this.noted.push(value)
  }
  ban(): void {}
}

export class Hud {
  static readonly rpc = { ask: 'server', move: 'server' } as const satisfies RpcTable<Hud>
  readonly moves: number[] = []
  ask(question: string): string {
    return `${question}? yes`
  }
  move(step: number): void {
    this.moves.push(step)
  }
}

/** Gates and clients on simulated links under one stepped clock. */
export class World {
  readonly clock = new SteppedClock()
  readonly random: SeededRandom
  readonly network: SimNetwork
  readonly #gates: TestGate[] = []
  readonly #clients: Client[] = []

  constructor(seed = 1) {
    this.random = seededRandom(seed)
    this.network = new SimNetwork({ clock: this.clock, random: this.random.fork() })
  }

  async gate(
    id = 'gate_1',
    options: ConstructorParameters<typeof TestGate>[3] = {},
  ): Promise<TestGate> {
    const gate = new TestGate(this.network.host(id), this.clock, this.random.fork(), options)
    this.#gates.push(gate)
    await this.run(gate.listen(`sim://${id}:1`))
    return gate
  }

  client(options: Partial<ClientOptions> = {}): Client {
    const client = new Client({
      transports: [this.network.host('player')],
      gates: ['sim://gate_1:1'],
      ticket: 'ann',
      clock: this.clock,
      random: this.random.fork(),
      ...options,
    })
    this.#clients.push(client)
    return client
  }

  async connected(options: Partial<ClientOptions> = {}): Promise<Client> {
    const client = this.client(options)
    await this.run(client.connect())
    return client
  }

  until(done: () => boolean, limitMs = 10_000): Promise<void> {
    return this.clock.runUntil(done, { limitMs })
  }

  /** Awaits what needs time to pass. */
  async run<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false
    const settled = (): void => {
      isSettled = true
    }
    promise.then(settled, settled)
    await this.clock.runUntil(() => isSettled)
    return promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closing = Promise.all([
      ...this.#clients.map((client) => client.close()),
      ...this.#gates.map((gate) => gate.close()),
    ])
    await this.run(closing)
  }
}
