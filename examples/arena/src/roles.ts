import { tickets } from '@rts/http'
import type { ArenaNode, Surroundings } from './arena-node.ts'
import type { Role } from './config.ts'
import { startGame } from './game/game-node.ts'
import { startGate } from './gate/gate-node.ts'
import { startHttp } from './http/http-node.ts'
import { startLobby } from './lobby/lobby-node.ts'

/** Starts one node of the arena. */
export function startNodeOfRole(
  role: Role,
  id: string,
  surroundings: Surroundings,
): Promise<ArenaNode> {
  const { ticketSecret, ticketTtlSeconds } = surroundings.config
  const desk = tickets({ secret: ticketSecret, ttlSeconds: ticketTtlSeconds })
  switch (role) {
    case 'gate':
      return startGate(id, surroundings, (ticket) => {
        const { account, claims } = desk.verify(ticket)
        return { account, name: String(claims['name'] ?? account) }
      })
    case 'lobby':
      return startLobby(id, surroundings)
    case 'game':
      return startGame(id, surroundings)
    case 'http':
      return startHttp(id, surroundings, desk)
  }
}
