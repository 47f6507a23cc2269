// The real time functions, kept from before a test runner replaced the global ones by fakes: what
// waits for real sockets and turns of the loop must not stand still with them.
export const setTimeout: typeof globalThis.setTimeout = globalThis.setTimeout
export const clearTimeout: typeof globalThis.clearTimeout = globalThis.clearTimeout
export const setImmediate: typeof globalThis.setImmediate = globalThis.setImmediate
export const clearImmediate: typeof globalThis.clearImmediate = globalThis.clearImmediate

export const now: () => number = performance.now.bind(performance)
