import type { Link, Transport } from '@rts/rpc'
import { tcp } from '@rts/rpc/tcp'
import { websocket } from '@rts/rpc/websocket'
import { Client } from './client.ts'
import type { ClientOptions } from './options.ts'

export type NodeClientOptions = Omit<ClientOptions, 'transports'> & Partial<ClientOptions>

/** A client with what Node has: `tcp`, `ws` and, with `@rts/kcp` installed, `kcp` addresses of gates all work. */
export function nodeClient(options: NodeClientOptions): Client {
  return new Client({ ...options, transports: options.transports ?? [tcp(), kcp(), websocket()] })
}
export { tcp }

/** KCP, loaded when an address asks for it: whoever has none needs no `@rts/kcp`. */
function kcp(): Transport {
  return {
    scheme: 'kcp',
    async dial(url, options): Promise<Link> {
      const module = await import('@rts/rpc/kcp')
      return module.kcp().dial(url, options)
    },
    listen: () => Promise.reject(new TypeError('a client does not listen')),
  }
}
