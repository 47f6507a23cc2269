import { seededRandom } from '@rts/testing'
import { describe, expect, it } from 'vitest'
import type { ShipRow } from '../src/shared/player-api.ts'
import { IDLE, STEP_MS, moveShip, type Controls, type Motion } from '../src/shared/rules.ts'
import { Flight } from '../web/flight.ts'
import { HeldControls } from '../web/held-controls.ts'
import { turnToward } from '../web/steering.ts'
import { shortestX, shortestY } from '../web/torus.ts'

const ACCOUNT = 'me'
const SEAT = 4
const round = (value: number, parts = 10): number => Math.round(value * parts) / parts

/** A server with one ship, and a wire of a given delay to and from the flight of its player; stepped by the millisecond. */
class Pair {
  readonly flight = new Flight()
  readonly ship: Motion = { x: 1500, y: 980, vx: 0, vy: 0, angle: 0.4 }
  readonly #up: { atMs: number; seq: number; controls: Controls }[] = []
  readonly #down: { atMs: number; step: number; row: ShipRow }[] = []
  readonly #delay: () => number
  #seq = 0
  #step = 0
  #held = { seq: 0, controls: IDLE }
  nowMs = 0
  hp = 3
  /** States reach the player. */
  isHeard = true

  constructor(delay: () => number) {
    this.#delay = delay
    this.flight.roster([{ seat: SEAT, account: ACCOUNT, name: 'Me' }], ACCOUNT)
  }

  run(ms: number, controls: (nowMs: number) => Controls, look: () => void = () => {}): void {
    for (let end = this.nowMs + ms; this.nowMs < end; this.nowMs += 1) {
      for (const input of due(this.#up, this.nowMs))
        if (input.seq > this.#held.seq) this.#held = input
      if (this.nowMs % STEP_MS === 17) this.#serve()
      for (const { step, row } of due(this.#down, this.nowMs))
        this.flight.observe({ secondsLeft: 60, step, ships: [row], shots: [] }, this.nowMs)
      if (this.nowMs % 8 !== 0) continue
      this.flight.advance(8, this.nowMs, controls(this.nowMs), (held) => this.#send(held))
      look()
    }
  }

  #send(controls: Controls): number {
    this.#up.push({ atMs: this.nowMs + this.#delay(), seq: (this.#seq += 1), controls })
    return this.#seq
  }

  #serve(): void {
    this.#step += 1
    if (this.hp > 0) moveShip(this.ship, this.#held.controls, STEP_MS)
    const { x, y, angle } = this.ship
    const seq = this.#held.seq
    const row: ShipRow = [SEAT, round(x), round(y), round(angle, 1000), this.hp, 0, seq, 0]
    if (this.isHeard) this.#down.push({ atMs: this.nowMs + this.#delay(), step: this.#step, row })
  }
}

function due<T extends { atMs: number }>(queue: T[], nowMs: number): T[] {
  const index = queue.findIndex(({ atMs }) => atMs > nowMs)
  return queue.splice(0, index === -1 ? queue.length : index)
}

const weave = (nowMs: number): Controls => ({
  turn: Math.sin(nowMs / 300),
  thrust: nowMs % 1700 < 1200,
  fire: false,
})

const distance = (a: Motion, b: Motion): number =>
  Math.hypot(shortestX(a.x - b.x), shortestY(a.y - b.y))

describe('the own ship', () => {
  it('answers in the frame in which a key goes down', () => {
    const pair = new Pair(() => 60)
    pair.run(1000, () => IDLE)
    const before = pair.flight.scene(pair.nowMs).own
    pair.run(16, () => ({ turn: 1, thrust: true, fire: false }))
    const after = pair.flight.scene(pair.nowMs).own
    expect(after?.angle).toBeGreaterThan((before?.angle ?? 0) + 0.02)
    expect(after?.isThrusting).toBe(true)
  })

  it('is never corrected while the delay stays the same, also over the rim', () => {
    const pair = new Pair(() => 60)
    pair.run(500, () => IDLE)
    pair.run(8000, weave, () => expect(pair.flight.prediction.errorPixels).toBeLessThan(0.5))
  })

  it('moves smoothly from frame to frame, however uneven the wire', () => {
    const random = seededRandom(5)
    const pair = new Pair(() => 40 + random.int(45))
    pair.run(1500, weave)
    let last: Motion | undefined
    pair.run(8000, weave, () => {
      const own = pair.flight.scene(pair.nowMs).own
      if (own === undefined) return
      // At most 360 pixels per second fly by: 2.9 in a frame of 8 ms; a correction may add some.
      if (last !== undefined) expect(distance(own, last)).toBeLessThan(6)
      last = own
    })
  })

  it('comes to where the server has it once it stands still', () => {
    const random = seededRandom(9)
    const pair = new Pair(() => 20 + random.int(70))
    pair.run(4000, weave)
    pair.run(12_000, () => IDLE)
    const own = pair.flight.scene(pair.nowMs).own
    expect(distance(own ?? pair.ship, pair.ship)).toBeLessThan(2)
  })

  it('glides back within half a second when the server knows better', () => {
    const pair = new Pair(() => 30)
    pair.run(2000, weave)
    pair.ship.x += 60
    pair.ship.vx = 0
    let before = pair.flight.scene(pair.nowMs).own
    pair.run(600, weave, () => {
      const own = pair.flight.scene(pair.nowMs).own
      if (own === undefined || before === undefined) return
      expect(distance(own, before)).toBeLessThan(12)
      before = own
    })
    expect(pair.flight.prediction.errorPixels).toBeLessThan(1.5)
  })

  it('finds its way back after states stayed away', () => {
    const pair = new Pair(() => 30)
    pair.run(2000, weave)
    pair.isHeard = false
    pair.run(900, weave)
    pair.isHeard = true
    pair.run(1500, weave)
    expect(pair.flight.prediction.errorPixels).toBeLessThan(1.5)
  })

  it('stays where it was destroyed and goes on from where it returns', () => {
    const pair = new Pair(() => 30)
    pair.run(2000, weave)
    pair.hp = 0
    pair.run(500, weave)
    const wreck = pair.flight.scene(pair.nowMs).own
    expect(wreck?.hp).toBe(0)
    expect(distance(wreck ?? pair.ship, pair.ship)).toBeLessThan(0.2)
    Object.assign(pair.ship, { x: 300, y: 300, vx: 0, vy: 0 })
    pair.hp = 3
    pair.run(120, () => IDLE)
    const back = pair.flight.scene(pair.nowMs).own
    expect(distance(back ?? pair.ship, pair.ship)).toBeLessThan(20)
    const kinds = pair.flight.news(pair.nowMs).happenings.map(({ kind }) => kind)
    expect(kinds).toEqual(['destroyed', 'returned'])
  })
})

describe('held controls', () => {
  it('become steps of the simulation, however long frames are', () => {
    const held = new HeldControls()
    const counts = [7, 33, 120, 16, 24].map((dtMs) => held.advance(dtMs, IDLE).length)
    expect(counts).toEqual([0, 0, 3, 0, 1])
    expect(held.sinceMs).toBeCloseTo(0)
  })

  it('turn a short tap into a small turn and forget no shot', () => {
    const held = new HeldControls()
    held.advance(10, { turn: 1, thrust: false, fire: true })
    expect(held.soFar).toEqual({ turn: 1, thrust: false, fire: true })
    expect(held.advance(40, IDLE)).toEqual([{ turn: 0.2, thrust: false, fire: true }])
    expect(held.advance(50, IDLE)).toEqual([IDLE])
  })
})

it('a stick turns the ship the short way and stops at its direction', () => {
  const ship: Motion = { x: 0, y: 0, vx: 0, vy: 0, angle: 3 }
  for (let step = 0; step < 12; step += 1)
    moveShip(ship, { ...IDLE, turn: turnToward(ship.angle, -3) }, STEP_MS)
  expect(ship.angle).toBeCloseTo(2 * Math.PI - 3, 1)
})
