// Random programs and random edits of them, for the comparison with a restart. Every module is a table of choices;
// its text follows from it, so the same choices always give the same program.

export interface GeneratedModule {
  /** Counts the renames of its file. */
  readonly place: number
  /** Modules with a smaller number, whose class, function and default it imports. */
  readonly imports: readonly number[]
  /** Has a file beside it that imports it and that it imports. */
  readonly isCyclic: boolean
  readonly parent: number | undefined
  readonly methods: readonly string[]
  readonly factor: number
  readonly add: number
  readonly hp: number
  readonly mana: number | undefined
  readonly data: 'json' | 'json5' | undefined
  readonly defaultIs: 'function' | 'class' | 'value'
  readonly hasPrivateMethod: boolean
  readonly hasAccessor: boolean
  readonly hasStaticBlock: boolean
  readonly hasSubclass: boolean
  readonly hasCopy: boolean
  readonly hasInstanceHook: boolean
  readonly hasStaticHook: boolean
  readonly listens: boolean
  readonly isDecorated: boolean
  readonly extraExport: boolean
}

export interface Program {
  readonly modules: readonly GeneratedModule[]
  /** What `index.ts` passes on, and how. */
  readonly barrel: readonly ('star' | 'named' | 'namespace')[]
}

export interface Pick {
  int(below: number): number
}

export const METHODS: readonly string[] = ['alpha', 'beta', 'gamma', 'delta']
const BARREL = ['star', 'named', 'namespace'] as const

export function generate(pick: Pick, count: number): Program {
  return {
    modules: Array.from({ length: count }, (_, index) => generateModule(pick, index)),
    barrel: Array.from({ length: count }, () => BARREL[pick.int(3)]!),
  }
}

function generateModule(pick: Pick, index: number): GeneratedModule {
  const imports = new Set<number>()
  for (let left = Math.min(index, 1 + pick.int(3)); left > 0; left -= 1)
    imports.add(pick.int(index))
  const chance = (of: number): boolean => pick.int(of) === 0
  return {
    place: 0,
    imports: [...imports].sort((a, b) => a - b),
    isCyclic: chance(3),
    parent: imports.size > 0 && chance(3) ? [...imports][0]! : undefined,
    methods: METHODS.filter(() => !chance(3)),
    factor: 1 + pick.int(9),
    add: pick.int(100),
    hp: pick.int(50),
    mana: chance(3) ? pick.int(50) : undefined,
    data: chance(3) ? (chance(2) ? 'json' : 'json5') : undefined,
    defaultIs: (['function', 'class', 'value'] as const)[pick.int(3)]!,
    hasPrivateMethod: chance(2),
    hasAccessor: chance(2),
    hasStaticBlock: chance(3),
    hasSubclass: chance(2),
    hasCopy: chance(3),
    hasInstanceHook: chance(4),
    hasStaticHook: chance(4),
    listens: chance(3),
    isDecorated: chance(12),
    extraExport: chance(4),
  }
}

type Change = (pick: Pick, module: GeneratedModule, index: number) => object

const CHANGES: readonly Change[] = [
  (pick) => ({ factor: 1 + pick.int(9) }),
  (pick) => ({ add: pick.int(100) }),
  (pick) => ({ hp: pick.int(50) }),
  (pick, { mana }) => ({ mana: mana === undefined ? pick.int(50) : undefined }),
  (pick) => ({ methods: METHODS.filter(() => pick.int(3) > 0) }),
  (_, { parent, imports }) => ({ parent: parent === undefined ? imports[0] : undefined }),
  (_, { hasPrivateMethod }) => ({ hasPrivateMethod: !hasPrivateMethod }),
  (_, { hasAccessor }) => ({ hasAccessor: !hasAccessor }),
  (_, { hasStaticBlock }) => ({ hasStaticBlock: !hasStaticBlock }),
  (_, { hasSubclass }) => ({ hasSubclass: !hasSubclass }),
  (_, { hasCopy }) => ({ hasCopy: !hasCopy }),
  (_, { hasInstanceHook }) => ({ hasInstanceHook: !hasInstanceHook }),
  (_, { hasStaticHook }) => ({ hasStaticHook: !hasStaticHook }),
  (_, { listens }) => ({ listens: !listens }),
  (_, { extraExport }) => ({ extraExport: !extraExport }),
  (pick, { data }) => ({
    data: data === undefined ? (['json', 'json5'] as const)[pick.int(2)] : undefined,
  }),
  (pick) => ({ defaultIs: (['function', 'class', 'value'] as const)[pick.int(3)] }),
  (_, { place }) => ({ place: place + 1 }),
  (_, { isCyclic }) => ({ isCyclic: !isCyclic }),
  (_, { isDecorated }) => ({ isDecorated: !isDecorated }),
  (pick, { isDecorated }, index) => ({ ...generateModule(pick, index), isDecorated }),
]

/** Another version of one module. */
export function edit(pick: Pick, module: GeneratedModule, index: number): GeneratedModule {
  const change = CHANGES[pick.int(CHANGES.length)]!(pick, module, index)
  return { ...module, ...change }
}

export const fileOf = ({ place }: GeneratedModule, index: number): string =>
  place === 0 ? `m${index}.ts` : `moved/m${index}-${place}.ts`

/** Every file of a program with its text. */
export function filesOf({ modules, barrel }: Program): Record<string, string> {
  const files: Record<string, string> = {}
  const file = (index: number): string => fileOf(modules[index]!, index)
  for (const [index, module] of modules.entries()) {
    const up = module.place === 0 ? './' : '../'
    files[file(index)] = moduleText(module, index, (other) => `${up}${file(other)}`, up)
    if (module.isCyclic)
      files[`c${index}.ts`] =
        `import { back${index} } from './${file(index)}'\nexport const around${index} = (depth: number): number => depth <= 0 ? ${module.factor} : back${index}(depth - 1) + 1\n`
    if (module.data === 'json')
      files[`d${index}.json`] = `{ "n": ${module.add}, "list": [1, null] }`
    if (module.data === 'json5')
      files[`d${index}.json5`] = `// data\n{ n: ${module.add}, list: [+1, Infinity,], }`
  }
  files['index.ts'] = barrel
    .map((how, index) =>
      how === 'star'
        ? `export * from './${file(index)}'`
        : how === 'named'
          ? `export { rule${index} as renamed${index}, default as default${index} } from './${file(index)}'`
          : `export * as space${index} from './${file(index)}'`,
    )
    .join('\n')
  files['root.ts'] = [
    ...modules.map((_, index) => `import * as m${index} from './${file(index)}'`),
    `import * as barrel from './index.ts'`,
    `export const modules = (): object[] => [${modules.map((_, index) => `m${index}`).join(', ')}]`,
    `export const all = (): object => barrel`,
  ].join('\n')
  return files
}

function moduleText(
  module: GeneratedModule,
  index: number,
  pathOf: (other: number) => string,
  up: string,
): string {
  const { imports, isCyclic, factor, add, data } = module
  const sum = (name: string): string => imports.map((one) => ` + ${name}${one}(x)`).join('')
  const lines = [
    `import { keep, onDispose, scope } from '@rts/reload'`,
    ...imports.map((one) => `import def${one}, { C${one}, rule${one} } from '${pathOf(one)}'`),
    ...(isCyclic ? [`import { around${index} } from '${up}c${index}.ts'`] : []),
    ...(data === 'json' ? [`import data from '${up}d${index}.json' with { type: 'json' }`] : []),
    ...(data === 'json5' ? [`import data from '${up}d${index}.json5'`] : []),
    `const app = (globalThis as any).rtsTestApp(import.meta.url)`,
    `let calls = 0`,
    `export const kept${index} = keep('kept', () => ({ n: ${index} }))`,
    `export function rule${index}(x: number): number { calls += 1; kept${index}.n += 1; return (x * ${factor} + ${add}${sum('rule')}) % 9973 }`,
    `export const back${index} = (depth: number): number => depth <= 0 ? ${add} : ${isCyclic ? `around${index}(depth - 1) + ${factor}` : add}`,
    `onDispose(() => app.disposed.push('${index} ${factor} ${add}'))`,
  ]
  if (data !== undefined)
    lines.push(`export const data${index} = () => [data.n, String(data.list)]`)
  if (module.extraExport) lines.push(`export const extra${index} = () => ${add}`)
  if (module.hasCopy)
    lines.push(
      `const copy = [${imports.map((one) => `rule${one}`).join(', ')}]; export const copied${index} = (x: number) => copy.map((f) => f(x))`,
    )
  if (module.listens)
    lines.push(`scope.on(app.bus, 'ping', (log: string[]) => log.push('${index} ${add}'))`)
  const called = imports.map(
    (one) => `String(typeof def${one} === 'function' ? def${one}.length : def${one})`,
  )
  lines.push(`export const defaults${index} = () => [${called.join(', ')}]`)
  if (module.defaultIs === 'function')
    lines.push(
      `export default function (a: number, b${add}?: number) { return a + ${factor} + calls }`,
    )
  else if (module.defaultIs === 'class')
    lines.push(
      `export default class extends Map<string, number> { own = ${factor}; who() { return ${add} } }`,
    )
  else lines.push(`export default ${factor} * ${add}`)
  if (module.isDecorated)
    lines.push(
      `const plus = (f: any, _: any) => function (this: any, x: number) { return f.call(this, x) + ${add} }`,
    )
  lines.push(...classText(module, index))
  if (module.hasSubclass)
    lines.push(
      `export class D${index} extends C${index} { #more = ${add}; d = 1; alpha(x: number): number { return ((super.alpha?.(x) ?? 2) + this.#more++) % 9973 } saveD${index}() { return this.#more } loadD${index}(n: number) { this.#more = n } }`,
    )
  lines.push(
    `export const save${index} = () => ({ calls, kept: kept${index}.n, statics: { ...C${index} }, hidden: C${index}.hidden() })`,
    `export const load${index} = (from: any) => { calls = from.calls; kept${index}.n = from.kept; Object.assign(C${index}, from.statics); C${index}.hidden(from.hidden) }`,
  )
  return `${lines.join('\n')}\n`
}

function classText(module: GeneratedModule, index: number): string[] {
  const { parent, factor, add, hp, mana } = module
  const lines = [
    `export class C${index} ${parent === undefined ? '' : `extends C${parent} `}{`,
    `  #secret = ${index}`,
    `  static shared${index} = ${add}`,
    `  static #hidden = ${factor}`,
    `  static hidden(to?: number) { return to === undefined ? C${index}.#hidden : (C${index}.#hidden = to) }`,
    `  hp${index} = ${hp}`,
    `  arrow = (x: number): number => this.own${index}(x)`,
    `  own${index}(x = 0) { this.#secret = (rule${index}(this.#secret) + x) % 9973; C${index}.shared${index} += 1; return this.#secret }`,
  ]
  if (mana !== undefined) lines.push(`  mana${index} = ${mana} + rule${index}(1)`)
  if (module.hasStaticBlock)
    lines.push(`  static { this.shared${index} *= 2; C${index}.#hidden += 1 }`)
  for (const method of module.methods) {
    if (module.isDecorated) lines.push('  @plus')
    const inherited = parent === undefined ? '0' : `(super.${method}?.(x) ?? 1)`
    lines.push(
      `  ${method}(x: number): number { return (this.#secret * ${factor} + rule${index}(x) + ${inherited} + C${index}.shared${index}${module.hasPrivateMethod ? ' + this.#twist(x) + this.#turned' : ''}) % 9973 }`,
    )
  }
  if (module.hasPrivateMethod)
    lines.push(
      `  #twist(x: number) { return x ^ ${add} }`,
      `  get #turned() { return this.#secret ^ ${add} }`,
    )
  if (module.hasAccessor)
    lines.push(
      `  get seen() { return this.#secret + ${factor} }`,
      `  set seen(to: number) { this.#secret = (to + ${add}) % 9973 }`,
    )
  if (module.hasInstanceHook)
    lines.push(`  onReload() { (this as any).reloads = ((this as any).reloads ?? 0) + 1 }`)
  if (module.hasStaticHook)
    lines.push(`  static onReload(previous: any) { this.shared${index} = previous.shared${index} }`)
  // How a test moves an instance from one process to another.
  lines.push(
    `  save${index}(): number { return this.#secret }`,
    `  load${index}(secret: number) { this.#secret = secret; return this }`,
    '}',
  )
  return lines
}
