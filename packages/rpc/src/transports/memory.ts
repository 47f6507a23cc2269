import { systemClock, type Clock } from '../clock.ts'
import { CLOSE } from '../close-codes.ts'
import { RpcError } from '../errors.ts'
import type { Link, LinkOptions, Listener, Transport } from '../link.ts'
import { PairLink, type Courier } from './pair-link.ts'

export interface MemoryNetwork {
  /** A transport of this network; the names listened on are shared by all of them. */
  transport(): Transport & { abort(): void }
}

/** Links inside this process. URLs: `memory://name`. */
export function memoryNetwork(): MemoryNetwork {
  const listeners: Listeners = new Map()
  return { transport: () => new MemoryTransport(listeners) }
}

interface Entry {
  readonly options: LinkOptions
  readonly onLink: (link: Link) => void
  readonly links: Set<PairLink>
}
type Listeners = Map<string, Entry>

/** What is sent in one turn of the loop arrives in the next. */
class DeferCourier implements Courier {
  readonly #clock: Clock
  #queue: (() => void)[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  carry(_bytes: number, arrive: () => void): void {
    if (this.#queue.push(arrive) === 1) this.#clock.defer(() => this.#deliver())
  }

  clear(): void {
    // Kept in place: the delivery that is due finds what comes after.
    this.#queue.length = 0
  }

  #deliver(): void {
    const due = this.#queue
    this.#queue = []
    for (const arrive of due) arrive()
  }
}

class MemoryTransport implements Transport {
  readonly scheme: string = 'memory'
  readonly #listeners: Listeners
  readonly #own = new Map<string, Entry>()
  readonly #links = new Set<PairLink>()
  #dials = 0

  constructor(listeners: Listeners) {
    this.#listeners = listeners
  }

  dial(url: string, options: LinkOptions & { readonly signal: AbortSignal }): Promise<Link> {
    const { signal } = options
    if (signal.aborted) return Promise.reject(signal.reason as Error)
    const clock = options.clock ?? systemClock
    return new Promise((resolve, reject) => {
      clock.defer(() => {
        const entry = this.#listeners.get(url)
        if (signal.aborted) reject(signal.reason as Error)
        else if (entry === undefined) {
          reject(new RpcError('RPC_CONNECT_FAILED', `nobody listens at ${url}`))
        } else resolve(this.#join(url, options, clock, entry))
      })
    })
  }

  listen(url: string, options: LinkOptions, onLink: (link: Link) => void): Promise<Listener> {
    if (this.#listeners.has(url)) {
      return Promise.reject(new RpcError('RPC_LISTEN_FAILED', `${url} is in use`))
    }
    const entry = { options, onLink, links: this.#links }
    this.#listeners.set(url, entry)
    this.#own.set(url, entry)
    return Promise.resolve({
      url,
      close: () => {
        this.#stop(url, entry)
        return Promise.resolve()
      },
    })
  }

  abort(): void {
    for (const [url, entry] of this.#own) this.#stop(url, entry)
    for (const link of this.#links) link.reset(CLOSE.lost, 'aborted')
  }

  #stop(url: string, entry: Entry): void {
    if (this.#listeners.get(url) === entry) this.#listeners.delete(url)
    if (this.#own.get(url) === entry) this.#own.delete(url)
  }

  #join(url: string, options: LinkOptions, clock: Clock, { onLink, ...there }: Entry): Link {
    const theirClock = there.options.clock ?? clock
    const forth = new DeferCourier(clock)
    const back = new DeferCourier(theirClock)
    const near: PairLink = new PairLink(url, forth, clock, options, () => this.#links.delete(near))
    this.#dials += 1
    const from = `${url}#${this.#dials}`
    const far: PairLink = new PairLink(from, back, theirClock, there.options, () =>
      there.links.delete(far),
    )
    PairLink.join(near, far)
    this.#links.add(near)
    there.links.add(far)
    onLink(far)
    return near
  }
}
