import type { Clock } from '@rts/rpc'

export interface HostLimitsOptions {
  readonly maxLinks: number
  readonly perSecond: number
  readonly burst: number
}

interface Host {
  links: number
  tokens: number
  atMs: number
}

/** So many idle hosts are remembered before they are swept. */
const SWEEP_AT = 4096

/** How many links each address has, and how fast it makes new ones. */
export class HostLimits {
  readonly #options: HostLimitsOptions
  readonly #clock: Clock
  readonly #hosts = new Map<string, Host>()
  #sweepAt = SWEEP_AT

  constructor(options: HostLimitsOptions, clock: Clock) {
    this.#options = options
    this.#clock = clock
  }

  /** Hosts remembered. */
  get size(): number {
    return this.#hosts.size
  }

  /** Counts a new link in, or says why not. Each `'ok'` needs one `release`. */
  take(host: string): 'ok' | 'too many' | 'too fast' {
    const { maxLinks, perSecond, burst } = this.#options
    const nowMs = this.#clock.now()
    let entry = this.#hosts.get(host)
    if (entry === undefined) {
      if (this.#hosts.size >= this.#sweepAt) this.#sweep(nowMs)
      this.#hosts.set(host, (entry = { links: 0, tokens: burst, atMs: nowMs }))
    }
    this.#refill(entry, nowMs)
    if (entry.links >= maxLinks) return 'too many'
    if (perSecond > 0) {
      if (entry.tokens < 1) return 'too fast'
      entry.tokens -= 1
    }
    entry.links += 1
    return 'ok'
  }

  release(host: string): void {
    const entry = this.#hosts.get(host)
    if (entry !== undefined && entry.links > 0) entry.links -= 1
  }

  #refill(entry: Host, nowMs: number): void {
    const { perSecond, burst } = this.#options
    entry.tokens = Math.min(burst, entry.tokens + ((nowMs - entry.atMs) / 1000) * perSecond)
    entry.atMs = nowMs
  }

  #sweep(nowMs: number): void {
    for (const [host, entry] of this.#hosts) {
      this.#refill(entry, nowMs)
      if (entry.links === 0 && entry.tokens >= this.#options.burst) this.#hosts.delete(host)
    }
    this.#sweepAt = Math.max(SWEEP_AT, this.#hosts.size * 2)
  }
}

/**
 * Who is counted together: the host of a link's `remote`, an IPv6 address as its /64.
 * `undefined` for this machine itself.
 */
export function countedHost(remote: string): string | undefined {
  const host = /^[a-z][a-z0-9+.-]*:\/\/(\[[^\]]*\]|[^:/?#]*)/i.exec(remote)?.[1] ?? remote
  const plain = host.startsWith('[') ? host.slice(1, -1).toLowerCase() : host.toLowerCase()
  const address = plain.startsWith('::ffff:') && plain.includes('.') ? plain.slice(7) : plain
  if (address === 'localhost' || address === '::1' || address.startsWith('127.')) return undefined
  return address.includes(':') ? prefix64(address) : address
}

function prefix64(address: string): string {
  const [before = '', after] = address.split('%', 1)[0]!.split('::', 2)
  const groups = before === '' ? [] : before.split(':')
  if (after !== undefined) {
    const tail = after === '' ? 0 : after.split(':').length
    while (groups.length < 8 - tail) groups.push('0')
  }
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`
}
