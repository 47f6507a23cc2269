import { describe, expect, it } from 'vitest'
import type { ArenaState, ShipRow, ShotRow } from '../src/shared/player-api.ts'
import {
  ARENA_WIDTH,
  IDLE,
  SHOT_SPEED,
  STEP_MS,
  moveShip,
  type Motion,
} from '../src/shared/rules.ts'
import { StateTimeline } from '../web/interpolation.ts'
import { ShotTracks } from '../web/shot-tracks.ts'
import { shortestTurn, shortestX } from '../web/torus.ts'

const DELAY_MS = 100

function ship(over: Partial<Record<'seat' | 'x' | 'y' | 'angle' | 'hp', number>>): ShipRow {
  const { seat = 1, x = 0, y = 0, angle = 0, hp = 3 } = over
  return [seat, x, y, angle, hp, 0, 0, 0]
}
const stateOf = (
  step: number,
  ships: readonly ShipRow[],
  shots: readonly ShotRow[] = [],
): ArenaState => ({ step, secondsLeft: 60, ships, shots })

describe('the timeline of states', () => {
  it('shows a ship between two states, a little late', () => {
    const timeline = new StateTimeline(DELAY_MS)
    for (let step = 1; step <= 6; step += 1)
      timeline.push(stateOf(step, [ship({ x: step * 10, angle: step / 10 })]), step * STEP_MS)
    const nowMs = 6 * STEP_MS + 25
    expect(timeline.shownMs(nowMs)).toBeCloseTo(4 * STEP_MS + 25)
    const [shown] = timeline.sample(nowMs)
    expect(shown?.x).toBeCloseTo(45)
    expect(shown?.angle).toBeCloseTo(0.45)
  })

  it('takes the short way over the rim of the arena', () => {
    const timeline = new StateTimeline(DELAY_MS)
    for (let step = 1; step <= 5; step += 1)
      timeline.push(stateOf(step, [ship({ x: (1570 + step * 12) % ARENA_WIDTH })]), step * STEP_MS)
    for (let nowMs = 150; nowMs <= 350; nowMs += 5) {
      const x = timeline.sample(nowMs)[0]?.x ?? 0
      expect(Math.abs(shortestX(x - 1595)), `x ${x}`).toBeLessThan(40)
    }
  })

  it('does not glide to where a destroyed ship comes back', () => {
    const timeline = new StateTimeline(DELAY_MS)
    timeline.push(stateOf(1, [ship({ x: 100, hp: 0 })]), 50)
    timeline.push(stateOf(2, [ship({ x: 150, hp: 3 })]), 100)
    timeline.push(stateOf(3, [ship({ x: 151, hp: 3 })]), 150)
    expect(timeline.sample(50 + DELAY_MS + 30)[0]).toMatchObject({ x: 100, hp: 0 })
    expect(timeline.sample(100 + DELAY_MS)[0]).toMatchObject({ x: 150, hp: 3 })
  })

  it('lets ships fly on for a short while when states stay away', () => {
    const timeline = new StateTimeline(DELAY_MS)
    for (let step = 1; step <= 3; step += 1)
      timeline.push(stateOf(step, [ship({ x: step * 10 })]), step * STEP_MS)
    expect(timeline.sample(150 + DELAY_MS + 50)[0]?.x).toBeCloseTo(40)
    expect(timeline.sample(150 + DELAY_MS + 5000)[0]?.x).toBeLessThan(60)
  })

  it('moves evenly although states arrive unevenly', () => {
    const timeline = new StateTimeline(DELAY_MS)
    const late = [0, 22, 5, 31, 0, 12, 40, 3, 18, 0]
    let last: number | undefined
    let step = 0
    for (let nowMs = 0; nowMs < 3000; nowMs += 1) {
      const dueMs = (step + 1) * STEP_MS + (late[step % late.length] ?? 0)
      if (nowMs >= dueMs) timeline.push(stateOf((step += 1), [ship({ x: step * 15 })]), nowMs)
      if (nowMs % 10 !== 0 || nowMs < 1000) continue
      const x = timeline.sample(nowMs)[0]?.x ?? 0
      // 300 pixels per second are 3 in 10 ms.
      if (last !== undefined) expect(Math.abs(shortestX(x - last) - 3)).toBeLessThan(1.2)
      last = x
    }
  })

  it('drops a state that comes late, and starts over with a new match', () => {
    const timeline = new StateTimeline(DELAY_MS)
    timeline.push(stateOf(100, [ship({ x: 100 })]), 1000)
    expect(timeline.push(stateOf(99, [ship({ x: 90 })]), 1010)).toBe(false)
    expect(timeline.push(stateOf(1, [ship({ seat: 7 })]), 1100)).toBe(true)
    expect(timeline.sample(1100).map(({ seat }) => seat)).toEqual([7])
  })

  it('sees which ships burn their engine', () => {
    const timeline = new StateTimeline(DELAY_MS)
    const burning: Motion = { x: 1580, y: 500, vx: 0, vy: 0, angle: 0.3 }
    const gliding: Motion = { x: 200, y: 500, vx: 300, vy: 100, angle: 2 }
    for (let step = 1; step <= 60; step += 1) {
      moveShip(burning, { turn: 0.4, thrust: true, fire: false }, STEP_MS)
      moveShip(gliding, { ...IDLE, turn: 1 }, STEP_MS)
      const rows = [burning, gliding].map(({ x, y, angle }, index) =>
        ship({
          seat: index + 1,
          x: Math.round(x * 10) / 10,
          y: Math.round(y * 10) / 10,
          angle: Math.round(angle * 1000) / 1000,
        }),
      )
      timeline.push(stateOf(step, rows), step * STEP_MS)
      if (step < 3) continue
      const signs = [...(timeline.newest?.ships.values() ?? [])].map((pose) => pose.isThrusting)
      expect(signs, `step ${step}`).toEqual([true, false])
    }
  })

  it('tells each state once when it comes to be shown', () => {
    const timeline = new StateTimeline(DELAY_MS)
    for (let step = 1; step <= 4; step += 1)
      timeline.push(stateOf(step, [ship({ hp: 4 - step })]), step * STEP_MS)
    const told = [200, 260, 260, 400].map((nowMs) =>
      timeline.passed(nowMs).map(([, after]) => after.state.step),
    )
    expect(told).toEqual([[2], [3], [], [4]])
  })
})

describe('tracks of shots', () => {
  const own = {
    ...{ seat: 1, x: 1590, y: 500, angle: 0, vx: 100, vy: 0, hp: 3, score: 0, inputSeq: 1 },
    ...{ isShielded: false, isThrusting: false },
  }
  const speed = SHOT_SPEED + own.vx
  const at = (ms: number): number => (1590 + (speed * ms) / 1000) % ARENA_WIDTH

  it('fly straight over the rim, also between and after states', () => {
    const tracks = new ShotTracks()
    for (let step = 1; step <= 3; step += 1)
      tracks.observe(
        stateOf(step, [], [[9, at(step * STEP_MS), 500, 0]]),
        undefined,
        step * STEP_MS,
      )
    for (const shownMs of [60, 110, 145, 220]) {
      const [shot] = tracks.sample(shownMs, shownMs, 200)
      expect(shot?.x, `at ${shownMs}`).toBeCloseTo(at(shownMs))
      expect(shot?.isOwn).toBe(false)
    }
  })

  it('show own shots at the own ship first and slide to the time of the others', () => {
    const tracks = new ShotTracks()
    tracks.observe(stateOf(1, [], [[9, at(50), 500, 0]]), own, 1000)
    const shownMs = 10
    const aheadMs = 150
    const first = tracks.sample(shownMs, aheadMs, 1000)[0]
    expect(first).toMatchObject({ isOwn: true })
    expect(first?.x).toBeCloseTo(at(aheadMs))
    expect(tracks.sample(shownMs, aheadMs, 2000)[0]?.x).toBeCloseTo(at(shownMs))
  })

  it('end when a state has them no more and that is shown', () => {
    const tracks = new ShotTracks()
    tracks.observe(stateOf(1, [], [[9, at(50), 500, 0]]), undefined, 0)
    tracks.observe(stateOf(2, []), undefined, 50)
    expect(tracks.sample(40, 40, 100)).toHaveLength(1)
    expect(tracks.sample(60, 60, 120)).toHaveLength(0)
    expect(tracks.sample(40, 40, 130)).toHaveLength(0)
  })
})

it('turns the short way round', () => {
  expect(shortestTurn(1.9 * Math.PI)).toBeCloseTo(-0.1 * Math.PI)
  expect(shortestTurn(-7 * Math.PI + 0.2)).toBeCloseTo(-Math.PI + 0.2)
})
