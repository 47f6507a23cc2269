import type { CallFrame } from './incoming-call.ts'

/** The part of Node's `AsyncLocalStorage` this package calls. */
interface Storage {
  run<R>(frame: CallFrame | undefined, fn: () => R): R
  getStore(): CallFrame | undefined
  enterWith(frame: CallFrame | undefined): void
}

interface Builtins {
  readonly process?: {
    getBuiltinModule?(name: string): { AsyncLocalStorage: new () => Storage } | undefined
  }
}

const builtins = globalThis as Builtins
const hooks = builtins.process?.getBuiltinModule?.('node:async_hooks')

/** Follows a handler over its awaits. Where the platform has no such thing, a chain is known until the first one. */
export const callStorage: Storage | undefined =
  hooks === undefined ? undefined : new hooks.AsyncLocalStorage()
