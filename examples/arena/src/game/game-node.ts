import { startNode, type ClusterNode } from '@rts/cluster'
import { PlayerSessions, type PlayerSession } from '@rts/gate/backend'
import { Timers } from '@rts/timer'
import type { ArenaNode, Surroundings } from '../arena-node.ts'
import { baseNode } from '../base-node.ts'
import { STEP_MS } from '../shared/rules.ts'
import { counted } from '../status.ts'
import { OpenRooms } from './open-rooms.ts'
import { Room } from './room.ts'

/** A game node: rooms, the players in them, and the fixed step that moves both. */
export async function startGame(id: string, surroundings: Surroundings): Promise<ArenaNode> {
  const { config, clock, random, logger, vitals } = surroundings
  const rooms = new Map<string, Room>()
  const timers = new Timers({
    clock,
    onError: (error) => logger.warn('a room failed', { node: id, error }),
  })
  let sessions: PlayerSessions

  const seat = async (session: PlayerSession): Promise<void> => {
    const room = [...rooms.values()].find((other) => other.expects(session.account))
    if (room === undefined) await session.unbind('game')
    else room.enter(session)
  }

  const openRoom = (node: ClusterNode, roomId: string, release: () => Promise<void>): Room => {
    const room: Room = new Room({
      id: roomId,
      node,
      group: sessions.group(roomId),
      clock,
      random,
      seats: config.room.seats,
      matchSeconds: config.room.matchSeconds,
      onOver: () => void release(),
    })
    rooms.set(roomId, room)
    const step = (): void => room.step()
    timers.every(STEP_MS, () => (vitals === undefined ? step() : vitals.run('step', step)), {
      key: room,
    })
    return room
  }

  const describe = (): string => {
    const ships = [...rooms.values()].reduce((sum, { players }) => sum + players, 0)
    return `${counted(rooms.size, 'room')}, ${counted(ships, 'ship')}`
  }

  const node: ClusterNode = await startNode({
    ...baseNode(id, 'game', surroundings, describe),
    entities: [Room],
    spawn: (_type, roomId, _args, root) => openRoom(node, roomId, () => root.release()),
    onRootGone: ({ entity }) => {
      const room = entity as Room
      timers.cancel(room)
      rooms.delete(room.id)
      room.close()
    },
    setup: ({ rpc }) => {
      rpc.expose('rooms', new OpenRooms(rooms))
      sessions = new PlayerSessions(rpc, { onSession: seat, clock, logger })
    },
  })
  node.onStop(() => {
    sessions.close()
    timers.destroy()
  })
  return {
    id,
    role: 'game',
    addresses: [node.location.url],
    describe,
    cluster: node,
    drain: async () => {
      await node.drain()
      while (rooms.size > 0) await new Promise<void>((resolve) => void clock.setTimer(250, resolve))
    },
    stop: () => node.stop(),
  }
}
