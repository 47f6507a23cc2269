const IDENTIFIER = /^[A-Za-z_$][\w$]*$/
const HOOKS = new Set(['onAwake', 'onStart', 'onTick', 'onDestroy'])

/** Names of fields and components become part of generated code, so they must be identifiers. */
export const isIdentifier = (name: string): boolean => IDENTIFIER.test(name)

/** The hooks, which need not be there to be taken. */
export const isReserved = (name: string): boolean => HOOKS.has(name)
