import { STEP_MS, TURN_PER_SECOND } from '../src/shared/rules.ts'
import { shortestTurn } from './torus.ts'

/** A ship turns so far in one step. */
const TURN_PER_STEP = (TURN_PER_SECOND * STEP_MS) / 1000

/** How to turn, from -1 to 1, to point to `wanted`: at full rate until the last step, which does not overshoot. */
export function turnToward(angle: number, wanted: number): number {
  const turn = shortestTurn(wanted - angle) / TURN_PER_STEP
  return Math.abs(turn) < 0.05 ? 0 : Math.max(-1, Math.min(1, turn))
}
