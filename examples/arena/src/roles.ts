import type { ArenaNode, Surroundings } from './arena-node.ts'
import type { Role } from './config.ts'

/** Starts one node of the arena. A process loads only what its own role needs. */
export async function startNodeOfRole(
  role: Role,
  id: string,
  surroundings: Surroundings,
): Promise<ArenaNode> {
  switch (role) {
    case 'gate': {
      const { startGate } = await import('./gate/gate-node.ts')
      const desk = await ticketDesk(surroundings)
      return startGate(id, surroundings, (ticket) => {
        const { account, claims } = desk.verify(ticket)
        return { account, name: String(claims['name'] ?? account) }
      })
    }
    case 'lobby': {
      const { startLobby } = await import('./lobby/lobby-node.ts')
      return startLobby(id, surroundings)
    }
    case 'game': {
      const { startGame } = await import('./game/game-node.ts')
      return startGame(id, surroundings)
    }
    case 'http': {
      const { startHttp } = await import('./http/http-node.ts')
      return startHttp(id, surroundings, await ticketDesk(surroundings))
    }
  }
}

async function ticketDesk({ config }: Surroundings) {
  const { tickets } = await import('@rts/http')
  return tickets({ secret: config.ticketSecret, ttlSeconds: config.ticketTtlSeconds })
}
