import { World } from '@rts/ecs'
import type { Random } from '@rts/rpc'
import type { ArenaState } from '../shared/player-api.ts'
import {
  ARENA_HEIGHT,
  ARENA_WIDTH,
  FIRE_INTERVAL_MS,
  IDLE,
  RESPAWN_MS,
  SCORE_PER_KILL,
  SHIELD_MS,
  SHIP_HP,
  SHIP_RADIUS,
  SHOT_LIFE_MS,
  SHOT_RADIUS,
  SHOT_SPEED,
  STEP_MS,
  distanceSquared,
  moveShip,
  wrapX,
  wrapY,
  type Controls,
} from '../shared/rules.ts'
import { Body, Flight, Helm, Hull, Ship, Shot } from './ship.ts'

const HIT_DISTANCE_SQUARED = (SHIP_RADIUS + SHOT_RADIUS) ** 2

/** The simulation of one match: no clock, no network, the same steps for the same inputs and seed. */
export class ArenaWorld {
  readonly #world: World
  readonly #random: Random
  readonly #ships = new Map<number, Ship>()
  #step = 0
  #seats = 0
  #shots = 0

  constructor(random: Random) {
    this.#random = random
    this.#world = new World({ random })
    this.#world.addSystem((dtMs) => this.#steer(dtMs))
    this.#world.addSystem((dtMs) => this.#fly(dtMs))
    this.#world.addSystem(() => this.#hit())
    this.#world.addSystem(() => this.#respawn())
  }

  /** Adds a ship; returns its seat, which no other ship of this match ever has. */
  join(): number {
    const ship = this.#world.spawn(Ship)
    ship.seat = this.#seats += 1
    this.#ships.set(ship.seat, ship)
    this.#place(ship)
    return ship.seat
  }

  leave(seat: number): void {
    const ship = this.#ships.get(seat)
    if (ship === undefined) return
    this.#ships.delete(seat)
    this.#world.destroy(ship)
  }

  steer(seat: number, controls: Controls, inputSeq: number): void {
    const helm = this.#ships.get(seat)?.helm
    if (helm === undefined) return
    helm.controls = controls
    helm.inputSeq = inputSeq
  }

  scoreOf(seat: number): number {
    return this.#ships.get(seat)?.hull.score ?? 0
  }

  step(): void {
    this.#step += 1
    this.#world.step(STEP_MS)
  }

  state(secondsLeft: number): ArenaState {
    return {
      step: this.#step,
      secondsLeft,
      ships: [...this.#ships.values()].map(({ seat, body, hull, helm }) => [
        seat,
        round(body.x),
        round(body.y),
        round(body.angle, 1000),
        hull.hp,
        hull.score,
        helm.inputSeq,
        hull.shieldUntil > this.#world.time ? 1 : 0,
      ]),
      shots: [...this.#world.query(Flight, Body)].map(([flight, body]) => [
        flight.number,
        round(body.x),
        round(body.y),
        round(body.angle, 1000),
      ]),
    }
  }

  #steer(dtMs: number): void {
    const now = this.#world.time
    this.#world.query(Helm, Body, Hull).each((helm, body, hull, ship) => {
      if (hull.hp === 0) return
      moveShip(body, helm.controls, dtMs)
      if (!helm.controls.fire || now < helm.nextShotAt) return
      helm.nextShotAt = now + FIRE_INTERVAL_MS
      this.#fire(ship as Ship)
    })
  }

  #fire(ship: Ship): void {
    const { angle, x, y, vx, vy } = ship.body
    const shot = this.#world.spawn(Shot)
    shot.body.x = wrapX(x + Math.cos(angle) * SHIP_RADIUS)
    shot.body.y = wrapY(y + Math.sin(angle) * SHIP_RADIUS)
    shot.body.vx = vx + Math.cos(angle) * SHOT_SPEED
    shot.body.vy = vy + Math.sin(angle) * SHOT_SPEED
    shot.body.angle = angle
    shot.flight.owner = ship.seat
    shot.flight.endsAt = this.#world.time + SHOT_LIFE_MS
    shot.flight.number = this.#shots += 1
  }

  #fly(dtMs: number): void {
    const now = this.#world.time
    this.#world.query(Flight, Body).each((flight, body, shot) => {
      if (now >= flight.endsAt) this.#world.destroy(shot)
      body.x = wrapX(body.x + (body.vx * dtMs) / 1000)
      body.y = wrapY(body.y + (body.vy * dtMs) / 1000)
    })
  }

  #hit(): void {
    const now = this.#world.time
    const ships = this.#world.query(Hull, Body)
    this.#world.query(Flight, Body).each((flight, at, shot) => {
      ships.each((hull, body, ship) => {
        const isTarget =
          hull.hp > 0 && now >= hull.shieldUntil && (ship as Ship).seat !== flight.owner
        if (!isTarget || !shot.alive) return
        if (distanceSquared(at.x, at.y, body.x, body.y) > HIT_DISTANCE_SQUARED) return
        this.#world.destroy(shot)
        hull.hp -= 1
        if (hull.hp > 0) return
        hull.respawnAt = now + RESPAWN_MS
        const killer = this.#ships.get(flight.owner)
        if (killer !== undefined) killer.hull.score += SCORE_PER_KILL
      })
    })
  }

  #respawn(): void {
    const now = this.#world.time
    this.#world.query(Hull).each((hull, ship) => {
      if (hull.hp > 0 || now < hull.respawnAt) return
      hull.hp = SHIP_HP
      hull.shieldUntil = now + SHIELD_MS
      this.#place(ship as Ship)
    })
  }

  /** Somewhere, at rest. */
  #place(ship: Ship): void {
    const { body, helm } = ship
    const bytes = this.#random(6)
    const share = (index: number): number => (bytes[index]! * 256 + bytes[index + 1]!) / 65536
    body.x = share(0) * ARENA_WIDTH
    body.y = share(2) * ARENA_HEIGHT
    body.angle = share(4) * 2 * Math.PI
    body.vx = 0
    body.vy = 0
    helm.controls = IDLE
  }
}

const round = (value: number, parts = 10): number => Math.round(value * parts) / parts
