import type { ClusterNode, Location } from '@rts/cluster'
import type { Random } from '@rts/rpc'
import { Room } from '../game/room.ts'

const MAX_TRIES = 4

interface OpenRoom {
  readonly id: string
  readonly location: Location
}

export interface Admission {
  readonly room: string
  readonly node: string
}

/**
 * Finds a seat: in the rooms this lobby knows, newest first, else in a new one on some game node. A room is a root, so it is
 * found wherever it is, and one that is full, over or lost with its node is simply forgotten.
 */
export class Matchmaker {
  readonly #node: ClusterNode
  readonly #random: Random
  #rooms: OpenRoom[] = []
  #placing: Promise<OpenRoom> | undefined

  constructor(node: ClusterNode, random: Random) {
    this.#node = node
    this.#random = random
  }

  /** @throws an error with code `ARENA_NO_SEAT` when no game node has one. */
  async seat(account: string, name: string): Promise<Admission> {
    let cause: unknown
    for (let attempt = 0; attempt < MAX_TRIES; attempt += 1) {
      let room: OpenRoom | undefined
      try {
        room = this.#rooms.at(-1) ?? (await this.#openRoom())
        if (await this.#node.find(Room, room.id).admit(account, name)) {
          return { room: room.id, node: room.location.node }
        }
      } catch (error) {
        cause = error
      }
      this.#rooms = this.#rooms.filter((other) => other !== room)
    }
    throw Object.assign(new Error('no game node has a free seat', { cause }), {
      code: 'ARENA_NO_SEAT',
    })
  }

  /** Players who come at the same moment share one new room. */
  #openRoom(): Promise<OpenRoom> {
    return (this.#placing ??= this.#place().finally(() => (this.#placing = undefined)))
  }

  async #place(): Promise<OpenRoom> {
    const id = [...this.#random(6)].map((byte) => byte.toString(36).padStart(2, '0')).join('')
    const location = await this.#node.place(Room, id, { role: 'game' })
    const room = { id, location }
    this.#rooms.push(room)
    return room
  }
}
