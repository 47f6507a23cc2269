import type { Reloader } from './reloader.ts'

/** Source and build of the register entry are files of their own: they share this place by name. */
const PLACE: unique symbol = Symbol.for('@rts/reload/default') as never
const shared = globalThis as unknown as { [PLACE]?: Reloader }

export function setDefaultReloader(reloader: Reloader): void {
  shared[PLACE] = reloader
}

/** The reloader of `--import @rts/reload/register`; undefined in a process that was started without it. */
export function registeredReloader(): Reloader | undefined {
  return shared[PLACE]
}
