import { startNode, type ClusterNode } from '@rts/cluster'
import { PlayerSessions, type PlayerSession } from '@rts/gate/backend'
import type { ArenaNode, Surroundings } from '../arena-node.ts'
import { baseNode } from '../base-node.ts'
import { counted } from '../status.ts'
import { Avatar } from './avatar.ts'
import { Avatars } from './avatars.ts'
import { Chat } from './chat.ts'
import { Leaderboard } from './leaderboard.ts'
import { LobbyDesk, type LobbyParts } from './lobby-desk.ts'
import { Matchmaker } from './matchmaker.ts'

/** A lobby: avatars, chat, the leaderboard, and the way into a match. */
export async function startLobby(id: string, surroundings: Surroundings): Promise<ArenaNode> {
  const { config, clock, random, logger, store, vitals } = surroundings
  const avatars = new Avatars(store, {
    clock,
    random,
    logger,
    saveIntervalMs: config.store.saveIntervalMs,
    ...(vitals !== undefined && { vitals }),
  })
  let sessions: PlayerSessions
  let parts: LobbyParts

  /** The player's calls wait until this settles. */
  const welcome = async (session: PlayerSession): Promise<void> => {
    const avatar = await avatars.enter(node, session.account, nameOf(session))
    if (session.state === 'closed') return leave(session)
    session.on('closed', () => leave(session))
    session.expose('desk', new LobbyDesk(session, avatar, parts))
    session.expose('avatar', avatar)
    parts.chat.join(session)
  }

  /** The last session of an account takes its avatar along. */
  const leave = (session: PlayerSession): void => {
    const isHere = sessions.sessions.some(
      (other) => other !== session && other.account === session.account && other.state !== 'closed',
    )
    if (!isHere) void node.local(Avatar, session.account)?.release()
  }

  const describe = (): string =>
    `${counted(sessions.sessions.length, 'player')}, ${counted(avatars.size, 'avatar')}`

  const node: ClusterNode = await startNode({
    ...baseNode(id, 'lobby', surroundings, describe),
    entities: [Avatar],
    spawn: (_type, account, [name], root) => avatars.spawn(account, String(name), root),
    onRootGone: (root) => avatars.gone(root),
    setup: (starting) => {
      sessions = new PlayerSessions(starting.rpc, { onSession: welcome, clock, logger })
      parts = {
        chat: new Chat(starting, sessions.group('chat'), clock, random),
        matchmaker: new Matchmaker(starting, random),
        leaderboard: new Leaderboard(store, () => clock.now()),
      }
      starting.rpc.expose('chat', parts.chat)
      // Watched from the start, so that the first player finds them.
      starting.directory('game')
      starting.directory('lobby')
      starting.onStop(() => sessions.close())
    },
  })
  return {
    id,
    role: 'lobby',
    addresses: [node.location.url],
    describe,
    cluster: node,
    drain: async () => {
      await node.drain()
      // Their gates bind them to other lobbies.
      sessions.close()
    },
    // The avatars are saved as their roots go; then nothing is left to save.
    stop: () => node.stop().finally(() => avatars.stop()),
  }
}

function nameOf({ identity, account }: PlayerSession): string {
  return typeof identity['name'] === 'string' ? identity['name'] : account
}
