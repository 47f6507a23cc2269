import { startNode, type ClusterNode } from '@rts/cluster'
import type { Directory, NodeRecord } from '@rts/discovery'
import { createHttpService, type HttpService, type Tickets } from '@rts/http'
import { withCall } from '@rts/rpc'
import type { ArenaNode, Surroundings } from '../arena-node.ts'
import { baseNode } from '../base-node.ts'
import { serverUrl } from '../server-url.ts'
import type { Status } from '../status.ts'
import { StoredAccounts } from './account-store.ts'
import { buildPage, servePage } from './page.ts'

const PLAYER_ADDRESS = /^player\d+$/
const WATCHED = ['gate', 'lobby', 'game']
const STATUS_TIMEOUT_MS = 500

/** The login: accounts, tickets, where the gates are, and the page of the game. */
export async function startHttp(
  id: string,
  surroundings: Surroundings,
  tickets: Tickets,
): Promise<ArenaNode> {
  const { config, clock, random, logger } = surroundings
  const describe = (): string => {
    const { registered, guests, loggedIn } = service.stats()
    return `${registered + guests + loggedIn} logins`
  }
  const makeService = (node: ClusterNode): HttpService => {
    const made = createHttpService({
      tickets,
      accounts: new StoredAccounts(surroundings.store),
      gates: () => playerAddresses(node.directory('gate')),
      guests: true,
      checks: Object.fromEntries(
        WATCHED.map((role) => [role, () => node.directory(role).pick() !== undefined]),
      ),
      rateLimit: { burst: config.http.loginBurst, perMinute: config.http.loginsPerMinute },
      clock,
      random,
      logger,
    })
    made.app.get('/nodes', async () => ({
      nodes: await Promise.all(
        WATCHED.flatMap((role) => node.directory(role).nodes).map((record) => look(node, record)),
      ),
    }))
    return made
  }
  let service: HttpService
  const node = await startNode({
    ...baseNode(id, 'http', surroundings, describe),
    addresses: () => ({ http: service.url ?? '' }),
    setup: async (starting) => {
      for (const role of WATCHED) starting.directory(role)
      service = makeService(starting)
      servePage(service.app, await buildPage())
      starting.onStop(() => service.close())
      await service.listen({ host: config.http.host, port: config.http.port })
    },
  })
  return {
    id,
    role: 'http',
    addresses: [service!.url ?? ''],
    describe,
    cluster: node,
    drain: () => node.drain(),
    stop: () => node.stop(),
  }
}

/** A node as the page shows it, with its own word of how it is doing. */
async function look(
  node: ClusterNode,
  record: NodeRecord,
): Promise<Record<string, string | number | undefined>> {
  const { id, role, state } = record
  const url = serverUrl(record)
  try {
    if (url === undefined) return { id, role, state, detail: '' }
    const status = node.rpc.at<typeof Status>(url, 'status')
    const quick = withCall(status, { timeoutMs: STATUS_TIMEOUT_MS })
    const [detail, code] = await Promise.all([quick.describe(), quick.code()])
    return { id, role, state, detail, code }
  } catch {
    return { id, role, state: 'silent', detail: '' }
  }
}

/** Addresses of the gates that take players: a picked one first, then the others. */
function playerAddresses(gates: Directory): string[] {
  const first = gates.pick()
  const ready = gates.nodes.filter((node) => node.state === 'ready' && node !== first?.node)
  return [...(first === undefined ? [] : [first]), ...ready].flatMap(({ addresses }) =>
    Object.entries(addresses).flatMap(([name, url]) => (PLAYER_ADDRESS.test(name) ? [url] : [])),
  )
}
