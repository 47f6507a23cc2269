import { Component, Entity, f64, u8, u32 } from '@rts/ecs'
import { IDLE, SHIP_HP, type Controls } from '../shared/rules.ts'

/** Where something is and how it moves. */
export class Body extends Component.with({
  x: f64(),
  y: f64(),
  vx: f64(),
  vy: f64(),
  angle: f64(),
}) {}

/** What the player holds down. */
export class Helm extends Component {
  controls: Controls = IDLE
  inputSeq = 0
  nextShotAt = 0
}

export class Hull extends Component.with({ hp: u8(SHIP_HP), score: u32() }) {
  /** While destroyed: when it comes back. */
  respawnAt = 0
  shieldUntil = 0
}

export class Ship extends Entity.with({ body: Body, helm: Helm, hull: Hull }) {
  seat = 0
}

/** A shot in flight. */
export class Flight extends Component {
  owner = 0
  endsAt = 0
  number = 0
}

export class Shot extends Entity.with({ body: Body, flight: Flight }) {}
