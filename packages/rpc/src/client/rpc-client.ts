import { systemClock, type Clock } from '../clock.ts'
import { Counters } from '../counters.ts'
import { exposeIn } from '../expose-in.ts'
import { silentLogger, type Logger } from '../logger.ts'
import { positive } from '../options.ts'
import type { RpcTable } from '../remote-types.ts'
import type { RpcStats } from '../stats.ts'
import { withQueue, type ClientExposed, type ClientHost } from './client-host.ts'
import { Destination, type DestinationOptions } from './destination.ts'

export interface RpcClientOptions {
  /** Of a call that says nothing else; milliseconds from 1. @defaultValue 3000 */
  readonly defaultTimeoutMs?: number | undefined
  /** How long `close` waits for running handlers; milliseconds from 0. @defaultValue 1000 */
  readonly closeTimeoutMs?: number
  readonly clock?: Clock
  readonly logger?: Logger
}

/**
 * A player's RPC, over links made elsewhere: calls servers and is called by them, and is small enough for a web page. For
 * everything that servers do among themselves there is `RpcNode`.
 */
export class RpcClient {
  readonly #host: ClientHost
  readonly #services = new Map<string, ClientExposed>()
  readonly #destinations = new Set<Destination>()
  readonly #closeTimeoutMs: number
  #closing: Promise<void> | undefined

  constructor(options: RpcClientOptions = {}) {
    this.#closeTimeoutMs = options.closeTimeoutMs ?? 1000
    this.#host = {
      clock: options.clock ?? systemClock,
      logger: options.logger ?? silentLogger,
      counters: new Counters(),
      services: this.#services,
      defaultTimeoutMs: positive('defaultTimeoutMs', options.defaultTimeoutMs ?? 3000),
    }
  }

  /** A server that links are attached to as they come. */
  destination(name: string, options: DestinationOptions = {}): Destination {
    const destination = new Destination(this.#host, name, options)
    this.#destinations.add(destination)
    if (this.#closing !== undefined) destination.close()
    return destination
  }

  /** Offers an object to every server. See `RpcNode.expose`; what is open to `server` is meant. */
  expose<T extends object>(name: string, target: T, table?: RpcTable<T>): () => void {
    return exposeIn(this.#services, name, target, table, withQueue)
  }

  stats(): RpcStats {
    return { ...this.#host.counters }
  }

  /** Closes all links, and waits for running handlers for `closeTimeoutMs`. Safe to call twice. */
  close(): Promise<void> {
    return (this.#closing ??= this.#shutDown())
  }

  #shutDown(): Promise<void> {
    for (const destination of this.#destinations) destination.close()
    const { clock, counters } = this.#host
    const until = clock.now() + this.#closeTimeoutMs
    return new Promise((resolve) => {
      const look = (): void => {
        const waitMs = until - clock.now()
        if (counters.runningCalls === 0 || waitMs <= 0) resolve()
        else clock.setTimer(Math.min(waitMs, 10), look)
      }
      look()
    })
  }
}
