import { ARENA_HEIGHT, ARENA_WIDTH } from '../src/shared/rules.ts'

// Differences on the arena, which wraps around, and between angles: always the shorter way.

export const shortestX = (dx: number): number => dx - ARENA_WIDTH * Math.round(dx / ARENA_WIDTH)
export const shortestY = (dy: number): number => dy - ARENA_HEIGHT * Math.round(dy / ARENA_HEIGHT)
export const shortestTurn = (angle: number): number =>
  angle - 2 * Math.PI * Math.round(angle / (2 * Math.PI))
