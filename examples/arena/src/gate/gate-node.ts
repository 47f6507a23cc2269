import { createHash } from 'node:crypto'
import { startNode, type ClusterNode } from '@rts/cluster'
import type { NodeRecord } from '@rts/discovery'
import { Gate, type GateTarget } from '@rts/gate'
import type { ArenaNode, Surroundings } from '../arena-node.ts'
import { baseNode } from '../base-node.ts'
import { serverUrl } from '../server-url.ts'
import { counted } from '../status.ts'

const MAX_PORT_TRIES = 5

/** Turns a login ticket into who the player is; throws with a code when it may not. */
export type Authenticate = (ticket: string) => { account: string; name?: string }

/** A gate: players on one side, lobbies and games on the other. */
export async function startGate(
  id: string,
  surroundings: Surroundings,
  authenticate: Authenticate,
): Promise<ArenaNode> {
  const { config, clock, random, logger, players } = surroundings
  const playerUrls: string[] = []
  let gate: Gate
  const describe = (): string => counted(gate.stats().sessions.open, 'player')

  const node: ClusterNode = await startNode({
    ...baseNode(id, 'gate', surroundings, describe),
    addresses: () => Object.fromEntries(playerUrls.map((url, index) => [`player${index}`, url])),
    setup: async (starting) => {
      gate = new Gate({
        id,
        rpc: starting.rpc,
        transports: players.transports,
        routes: { lobby: { onOpen: true }, game: {} },
        directory: {
          pick: (role, avoid) =>
            target(
              starting
                .directory(role)
                .pick({ where: (record) => avoid?.has(record.id) !== true }) ??
                starting.directory(role).pick(),
            ),
          find: (nodeId) =>
            target(
              starting.directory('game').get(nodeId) ?? starting.directory('lobby').get(nodeId),
            ),
        },
        authenticate,
        tokenKey: createHash('sha256').update(`tokens:${config.clusterKey}`).digest(),
        clock,
        random,
        logger,
      })
      starting.onStop(() => gate.stop())
      for (const url of players.listen) playerUrls.push(...(await listenAt(gate, url)))
    },
  })
  return {
    id,
    role: 'gate',
    addresses: playerUrls,
    describe,
    cluster: node,
    // Players stay until it stops; then their clients go to another gate.
    drain: () => node.drain(),
    stop: () => node.stop(),
  }
}

/** At a TCP address also KCP, at the same port number. */
async function listenAt(gate: Gate, url: string): Promise<string[]> {
  if (!url.startsWith('tcp:')) return [(await gate.listen(url)).url]
  for (let tries = 1; ; tries += 1) {
    const tcp = await gate.listen(url)
    try {
      return [tcp.url, (await gate.listen(tcp.url.replace('tcp:', 'kcp:'))).url]
    } catch (error) {
      // A port that is free for TCP may be taken for UDP.
      await tcp.close()
      if (!url.endsWith(':0') || tries === MAX_PORT_TRIES) throw error
    }
  }
}

function target(record: NodeRecord | undefined): GateTarget | undefined {
  const url = record === undefined ? undefined : serverUrl(record)
  return record === undefined || url === undefined ? undefined : { id: record.id, url }
}
