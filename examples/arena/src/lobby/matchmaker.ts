import type { ClusterNode, Location } from '@rts/cluster'
import type { Random } from '@rts/rpc'
import { withCall } from '@rts/rpc'
import type { OpenRooms } from '../game/open-rooms.ts'
import { Room } from '../game/room.ts'
import { serverUrl } from '../server-url.ts'

const MAX_TRIES = 4
const ASK_TIMEOUT_MS = 500

interface OpenRoom {
  readonly id: string
  readonly location: Location
}

export interface Admission {
  readonly room: string
  readonly node: string
}

/**
 * Finds a seat: in the room this lobby filled last, else in the fullest that any game node offers, else in a new one. A room is
 * a root, so it is found wherever it is, and one that is full, over or lost with its node is simply forgotten.
 */
export class Matchmaker {
  readonly #node: ClusterNode
  readonly #random: Random
  #last: OpenRoom | undefined
  #opening: Promise<OpenRoom> | undefined

  constructor(node: ClusterNode, random: Random) {
    this.#node = node
    this.#random = random
  }

  /** @throws an error with code `ARENA_NO_SEAT` when no game node has one. */
  async seat(account: string, name: string): Promise<Admission> {
    let cause: unknown
    const refused = new Set<string>()
    for (let attempt = 0; attempt < MAX_TRIES; attempt += 1) {
      let room: OpenRoom | undefined
      try {
        room = this.#last ??= await this.#openRoom(refused)
        if (await this.#node.find(Room, room.id).admit(account, name)) {
          return { room: room.id, node: room.location.node }
        }
      } catch (error) {
        cause = error
      }
      if (room !== undefined) refused.add(room.id)
      if (this.#last === room) this.#last = undefined
    }
    throw Object.assign(new Error('no game node has a free seat', { cause }), {
      code: 'ARENA_NO_SEAT',
    })
  }

  /** Players who come at the same moment share one new room. */
  #openRoom(refused: ReadonlySet<string>): Promise<OpenRoom> {
    return (this.#opening ??= this.#offered(refused)
      .then((offer) => offer ?? this.#place())
      .finally(() => (this.#opening = undefined)))
  }

  /** What the game nodes have open; one that does not answer has nothing. */
  async #offered(refused: ReadonlySet<string>): Promise<OpenRoom | undefined> {
    const offers = await Promise.all(
      this.#node.directory('game').nodes.map(async (game) => {
        const url = serverUrl(game)
        if (url === undefined || game.state !== 'ready') return []
        const rooms = withCall(this.#node.rpc.at<typeof OpenRooms>(url, 'rooms'), {
          timeoutMs: ASK_TIMEOUT_MS,
        })
        const list = await rooms.list().catch(() => [])
        return list.map((room) => ({ ...room, location: { node: game.id, url } }))
      }),
    )
    return offers
      .flat()
      .filter(({ id }) => !refused.has(id))
      .sort((a, b) => b.players - a.players || (a.id < b.id ? -1 : 1))[0]
  }

  async #place(): Promise<OpenRoom> {
    const id = [...this.#random(6)].map((byte) => byte.toString(36).padStart(2, '0')).join('')
    const location = await this.#node.place(Room, id, { role: 'game' })
    return { id, location }
  }
}
