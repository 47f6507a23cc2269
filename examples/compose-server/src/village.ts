import { Component, Entity, f64, World } from '@rts/ecs'
import { notify, type RpcNode } from '@rts/rpc'
import type { Timers } from '@rts/timer'
import type { Rooms } from './rooms.ts'

const STEP_MS = 50
const isDay = (hour: number): boolean => hour >= 6 && hour < 20

class Sun extends Component.with({ hour: f64(18) }) {}
class Flame extends Component.with({ hoursLeft: f64(3) }) {}
class Sky extends Entity.with({ sun: Sun }) {}
class Lantern extends Entity.with({ flame: Flame }) {}

/** The world around the rooms: the sun rises and sets, lanterns burn down. */
export class Village {
  static readonly rpc = { light: 'server' } as const
  readonly #world: World = new World()
  readonly #sun: Sun = this.#world.spawn(Sky).sun

  constructor(rpc: RpcNode, timers: Timers, hourMs: number) {
    const rooms = notify(rpc.entity<typeof Rooms>({ id: 'rooms' }))
    const sun = this.#sun
    this.#world.addSystem((dtMs) => {
      const before = sun.hour
      sun.hour = (before + dtMs / hourMs) % 24
      if (isDay(sun.hour) === isDay(before)) return
      rooms.tell(isDay(before) ? 'night falls' : 'the sun rises')
    })
    const flames = this.#world.query(Flame)
    this.#world.addSystem((dtMs) => {
      flames.each((flame) => {
        flame.hoursLeft -= dtMs / hourMs
        if (flame.hoursLeft > 0) return
        rooms.tell('the lantern goes out', flame.entity.id)
        flame.entity.destroy()
      })
    })
    timers.every(STEP_MS, () => this.#world.step(STEP_MS))
  }

  /** Lights the lantern of a room, or fills it up. Returns the hour when it will go out. */
  light(room: string): number {
    this.#world.destroy(room)
    const { flame } = this.#world.spawn(Lantern, { id: room })
    return Math.floor(this.#sun.hour + flame.hoursLeft) % 24
  }
}
