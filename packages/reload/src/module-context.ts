// What a hot module imports from '@rts/reload' for itself. Under the runner each module gets its own; without it
// (production, or a module that is not hot) these stand in, and the module works just the same.
import { systemClock } from './clock.ts'
import { ModuleScope, type Scope } from './scope.ts'

/**
 * State that a reload keeps: `init` runs when the module first asks for `id`, later versions get the same value.
 * Ids are the module's own.
 */
export function keep<T>(id: string, init: () => T): T {
  void id
  return init()
}

/** Runs `fn` when a reload replaces the module. */
export function onDispose(fn: () => void): void {
  void fn
}

/** What the module has running: swept at its next reload. */
export const scope: Scope = new ModuleScope(systemClock)
