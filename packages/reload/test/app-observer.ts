// What a generated program does and where its state stands, asked in the same way in every process.
import { METHODS } from './app-generator.ts'

type Anything = Record<string, (...args: unknown[]) => unknown>
export type Namespaces = readonly Record<string, unknown>[]

/** An instance as data: its class, its fields, and its private state by the method that loads it. */
export interface SavedInstance {
  readonly module: number
  readonly name: string
  readonly fields: readonly (readonly [string, unknown])[]
  readonly secrets: readonly (readonly [string, unknown])[]
}

export interface SavedState {
  readonly modules: readonly unknown[]
  readonly instances: readonly SavedInstance[]
}

export interface Held {
  readonly module: number
  readonly name: string
  readonly instance: object
}

/** What a generated program calls its surroundings. */
export class Surroundings {
  readonly disposed: string[] = []
  readonly #listeners = new Set<(log: string[]) => void>()
  readonly bus: object = {
    on: (_: string, listener: (log: string[]) => void) => {
      this.#listeners.add(listener)
      return () => this.#listeners.delete(listener)
    },
  }

  ping(): string[] {
    const log: string[] = []
    for (const listener of this.#listeners) listener(log)
    return log.sort()
  }
}

export const classOf = (modules: Namespaces, module: number, name: string): new () => object =>
  modules[module]![name] as new () => object

const isData = (value: unknown): boolean => typeof value !== 'function'

export function saveInstance({ module, name, instance }: Held, count: number): SavedInstance {
  const one = instance as Anything
  const secrets: (readonly [string, unknown])[] = []
  for (let index = 0; index < count; index += 1)
    for (const key of [String(index), `D${index}`])
      if (typeof one[`save${key}`] === 'function')
        secrets.push([`load${key}`, one[`save${key}`]!()])
  const fields = Object.entries(instance).filter(([, value]) => isData(value))
  return { module, name, fields, secrets }
}

export function save(modules: Namespaces, held: readonly Held[]): SavedState {
  return {
    modules: modules.map((one, index) => (one as Anything)[`save${index}`]!()),
    instances: held.map((one) => saveInstance(one, modules.length)),
  }
}

/** Gives a fresh program the state of another one. */
export function load(modules: Namespaces, state: SavedState): Held[] {
  const held = state.instances.map(({ module, name, fields, secrets }): Held => {
    const instance = new (classOf(modules, module, name))()
    const one = instance as Record<string, unknown>
    const functions = Object.entries(one).filter(([, value]) => !isData(value))
    for (const key of Object.keys(one)) Reflect.deleteProperty(one, key)
    Object.assign(one, Object.fromEntries(functions), Object.fromEntries(fields))
    for (const [key, value] of secrets) (one as Anything)[key]!(value)
    return { module, name, instance }
  })
  for (const [index, one] of modules.entries())
    (one as Anything)[`load${index}`]!(state.modules[index])
  return held
}

/** Everything that can be asked, by a name for each answer. Asking changes state, everywhere in the same way. */
export function observe(
  modules: Namespaces,
  barrel: Record<string, unknown>,
  held: readonly Held[],
  surroundings: Surroundings,
): Record<string, unknown> {
  const answers: Record<string, unknown> = {}
  for (const [index, one] of modules.entries()) {
    const module = one as Anything
    answers[`m${index} names`] = Object.keys(one).sort()
    for (const name of ['rule', 'back', 'data', 'extra', 'defaults'])
      answers[`m${index} ${name}`] = module[`${name}${index}`]?.(3) ?? 'none'
    const { default: own } = one
    answers[`m${index} default`] =
      typeof own !== 'function'
        ? own
        : own.prototype instanceof Map
          ? {
              ...new (own as new () => object)(),
              who: new (own as new () => { who(): number })().who(),
            }
          : [own.name, own(1)]
    for (const name of [`C${index}`, `D${index}`])
      if (typeof one[name] === 'function')
        answers[`m${index} new ${name}`] = ask(new (one[name] as new () => object)())
  }
  for (const [at, { module, name, instance }] of held.entries())
    answers[`held ${at} of m${module} ${name}`] = ask(instance)
  answers['barrel'] = Object.keys(barrel).sort()
  for (const name of Object.keys(barrel).sort())
    if (/^(?:rule|renamed)\d+$/.test(name))
      answers[`barrel ${name}`] = (barrel as Anything)[name]!(5)
  answers['ping'] = surroundings.ping()
  // Last: what it calls may be an old function, which counts elsewhere.
  for (const [index, one] of modules.entries())
    answers[`m${index} copied`] = (one as Anything)[`copied${index}`]?.(3) ?? 'none'
  // Through JSON, as an answer from another process came.
  return JSON.parse(JSON.stringify(answers)) as Record<string, unknown>
}

function ask(instance: object): unknown[] {
  const one = instance as Anything & { seen?: number }
  const answers: unknown[] = METHODS.map((method) =>
    typeof one[method] === 'function' ? one[method]!(7) : 'none',
  )
  if ('seen' in one) one.seen = (one.seen ?? 0) + 1
  const fields = Object.fromEntries(Object.entries(one).filter(([, value]) => isData(value)))
  return [...answers, one.seen ?? 'none', one['arrow']!(2), fields, one.constructor!.name]
}
