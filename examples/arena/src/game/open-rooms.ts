import type { RpcTable } from '@rts/rpc'
import type { Room } from './room.ts'

export interface RoomOffer {
  readonly id: string
  readonly players: number
}

/** The rooms of one game node that have a free seat; every lobby may ask, so that players of all lobbies meet. */
export class OpenRooms {
  static readonly rpc = { list: 'server' } as const satisfies RpcTable<OpenRooms>
  readonly #rooms: ReadonlyMap<string, Room>

  constructor(rooms: ReadonlyMap<string, Room>) {
    this.#rooms = rooms
  }

  list(): RoomOffer[] {
    return [...this.#rooms.values()]
      .filter(({ freeSeats }) => freeSeats > 0)
      .map(({ id, players }) => ({ id, players }))
  }
}
