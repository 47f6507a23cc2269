import { fork, type ChildProcess } from 'node:child_process'
import type { ContenderName } from './contenders.ts'

export type Order =
  | { readonly do: 'serve' }
  | { readonly do: 'connect'; readonly address: string }
  | { readonly do: 'throughput'; readonly workers: number; readonly forMs: number }
  | { readonly do: 'latency'; readonly forMs: number }
  | { readonly do: 'probe'; readonly name: string }

export interface Answer {
  readonly value?: unknown
  readonly error?: string | undefined
}

/** A process with one half of a contender. */
class Half {
  readonly #child: ChildProcess
  readonly #name: string

  constructor(name: ContenderName, execArgv: readonly string[]) {
    this.#name = name
    this.#child = fork(new URL('./contender-process.ts', import.meta.url), [name], {
      execArgv: [...process.execArgv, ...execArgv],
    })
  }

  ask(order: Order): Promise<unknown> {
    const child = this.#child
    return new Promise((resolve, reject) => {
      const ended = (): void => reject(new Error(`${this.#name}: the process ended`))
      child.once('exit', ended)
      child.once('message', ({ value, error }: Answer) => {
        child.removeListener('exit', ended)
        if (error === undefined) resolve(value)
        else reject(new Error(`${this.#name}: ${error}`))
      })
      child.send(order)
    })
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): void {
    this.#child.kill(signal)
  }
}

/** The calling process of a contender. */
export class Client {
  readonly #half: Half

  private constructor(half: Half) {
    this.#half = half
  }

  static async start(
    name: ContenderName,
    address: string,
    execArgv: readonly string[] = [],
  ): Promise<Client> {
    const half = new Half(name, execArgv)
    await half.ask({ do: 'connect', address })
    return new Client(half)
  }

  /** Calls per second with so many in flight. */
  throughput(workers: number, forMs: number): Promise<number> {
    return this.#half.ask({ do: 'throughput', workers, forMs }) as Promise<number>
  }

  /** Of calls one after the other, in microseconds. */
  latency(forMs: number): Promise<{ p50: number; p99: number }> {
    return this.#half.ask({ do: 'latency', forMs }) as Promise<{ p50: number; p99: number }>
  }

  probe(name: string): Promise<number> {
    return this.#half.ask({ do: 'probe', name }) as Promise<number>
  }

  stop(): void {
    this.#half.signal('SIGKILL')
  }
}

/** The serving process of a contender. */
export class Server {
  readonly #half: Half
  readonly address: string

  private constructor(half: Half, address: string) {
    this.#half = half
    this.address = address
  }

  static async start(name: ContenderName, execArgv: readonly string[] = []): Promise<Server> {
    const half = new Half(name, execArgv)
    return new Server(half, (await half.ask({ do: 'serve' })) as string)
  }

  /** It stands still: it reads nothing, though its sockets stay open. */
  pause(): void {
    this.#half.signal('SIGSTOP')
  }

  resume(): void {
    this.#half.signal('SIGCONT')
  }

  stop(): void {
    this.#half.signal('SIGKILL')
  }
}
