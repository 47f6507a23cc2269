import { Arena } from '../src/arena.ts'
import type { ArenaNode, Logger } from '../src/arena-node.ts'
import { loadConfig, type ArenaConfig, type Role } from '../src/config.ts'

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} }

/** The arena's configuration with free ports and nothing kept. */
export async function testConfig(change: Partial<ArenaConfig> = {}): Promise<ArenaConfig> {
  const config = await loadConfig()
  return {
    ...config,
    http: { ...config.http, port: 0 },
    store: { ...config.store, file: ':memory:' },
    ...change,
  }
}

/** The whole arena on real sockets in this process; stopped at the end of the block that uses it. */
export async function runArena(
  change: Partial<ArenaConfig> = {},
): Promise<AsyncDisposable & { arena: Arena }> {
  const arena = new Arena(await testConfig(change), silent)
  await arena.start()
  return { arena, [Symbol.asyncDispose]: () => arena.stop() }
}

export function nodeOf(arena: Arena, role: Role): ArenaNode {
  const node = arena.nodes.find((entry) => entry.role === role)?.node
  if (node === undefined) throw new Error(`no ${role} node is running`)
  return node
}

/** The first address of the gate with that scheme. */
export function gateUrl(arena: Arena, scheme: 'tcp' | 'kcp' | 'ws'): string {
  const url = nodeOf(arena, 'gate').addresses.find((address) => address.startsWith(`${scheme}:`))
  if (url === undefined) throw new Error(`the gate has no ${scheme} address`)
  return url
}
