import { setFlagsFromString } from 'node:v8'

/**
 * Keeps V8's young generation at its size; returns the undo, after which it grows with the load, as ever. Most of what a
 * start makes lives on: V8 takes that for load, doubles it, and an idle process keeps what was touched of it.
 */
export function holdYoungGeneration(): () => void {
  setFlagsFromString('--semi-space-growth-factor=1')
  // V8's own setting.
  return () => setFlagsFromString('--semi-space-growth-factor=2')
}
