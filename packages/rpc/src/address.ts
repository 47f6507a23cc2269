import { RpcError } from './errors.ts'
import type { Transport } from './link.ts'

/** Schemes whose links never leave this process. */
const LOCAL_SCHEMES = new Set(['memory', 'sim'])

/** `tcp` of `tcp://host:port`. */
export const schemeOf = (url: string): string => url.slice(0, Math.max(0, url.indexOf('://')))

/** Whether an address, or the remote end of a link, is on this machine. */
export function isLoopback(url: string): boolean {
  const scheme = schemeOf(url)
  if (LOCAL_SCHEMES.has(scheme)) return true
  // The scheme is replaced because URL parses hosts only of the schemes it knows.
  const parsed = URL.parse(`http${url.slice(scheme.length)}`)
  if (parsed === null) return false
  const host = parsed.hostname
  return (
    host === 'localhost' ||
    host === '[::1]' ||
    /^127(?:\.\d{1,3}){3}$/.test(host) ||
    /^\[::ffff:7f[0-9a-f]{2}:[0-9a-f]{1,4}\]$/.test(host)
  )
}

/** @throws RpcError `RPC_NO_TRANSPORT` when none of them serves the scheme. */
export function transportFor(transports: readonly Transport[], url: string): Transport {
  const scheme = schemeOf(url)
  for (const transport of transports) {
    // TLS is the same transport with another first word.
    if (transport.scheme === scheme || `${transport.scheme}s` === scheme) return transport
  }
  const given = transports.map((transport) => transport.scheme).join(', ') || 'none'
  throw new RpcError('RPC_NO_TRANSPORT', `no transport for ${url}; given: ${given}`)
}
