import { tcp } from '@rts/rpc/tcp'
import { websocket } from '@rts/rpc/websocket'
import { Client } from './client.ts'
import type { ClientOptions } from './options.ts'

export type NodeClientOptions = Omit<ClientOptions, 'transports'> & Partial<ClientOptions>

/** A client with what Node has: `tcp` and `ws` addresses of gates both work. */
export function nodeClient(options: NodeClientOptions): Client {
  return new Client({ ...options, transports: options.transports ?? [tcp(), websocket()] })
}
export { tcp }
