// Random programs and random edits of them, for the comparison with a restart. Every module is a table of choices;
// its text follows from it, so the same choices always give the same program.

export interface GeneratedModule {
  /** Modules with a smaller number, which it imports. */
  readonly imports: readonly number[]
  readonly parent: number | undefined
  readonly methods: readonly string[]
  readonly factor: number
  readonly add: number
  readonly hasPrivateMethod: boolean
  readonly hasGetter: boolean
  readonly isDecorated: boolean
  readonly extraExport: boolean
}

export interface Pick {
  int(below: number): number
}

const METHODS = ['alpha', 'beta', 'gamma', 'delta'] as const

export function generate(pick: Pick, count: number): GeneratedModule[] {
  return Array.from({ length: count }, (_, index) => generateModule(pick, index))
}

function generateModule(pick: Pick, index: number): GeneratedModule {
  const imports = new Set<number>()
  for (let left = Math.min(index, 1 + pick.int(3)); left > 0; left -= 1)
    imports.add(pick.int(index))
  return {
    imports: [...imports].sort((a, b) => a - b),
    parent: imports.size > 0 && pick.int(3) === 0 ? [...imports][0]! : undefined,
    methods: METHODS.filter(() => pick.int(3) > 0),
    factor: 1 + pick.int(9),
    add: pick.int(100),
    hasPrivateMethod: pick.int(2) === 0,
    hasGetter: pick.int(2) === 0,
    isDecorated: pick.int(12) === 0,
    extraExport: false,
  }
}

/** Another version of one module. */
export function edit(pick: Pick, module: GeneratedModule, index: number): GeneratedModule {
  switch (pick.int(8)) {
    case 0:
      return { ...module, factor: 1 + pick.int(9) }
    case 1:
      return { ...module, add: pick.int(100) }
    case 2:
      return { ...module, methods: METHODS.filter(() => pick.int(3) > 0) }
    case 3:
      return { ...module, hasPrivateMethod: !module.hasPrivateMethod }
    case 4:
      return { ...module, hasGetter: !module.hasGetter }
    case 5:
      return { ...module, parent: module.parent === undefined ? module.imports[0] : undefined }
    case 6:
      return { ...module, extraExport: !module.extraExport }
    default:
      return { ...generateModule(pick, index), isDecorated: module.isDecorated }
  }
}

export function textOf(module: GeneratedModule, index: number): string {
  const { imports, parent, factor, add } = module
  const lines = [
    `import { keep } from '@rts/reload'`,
    ...imports.map((one) => `import { C${one}, rule${one} } from './m${one}.ts'`),
    `export const all${index} = keep('all', (): C${index}[] => [])`,
    `export function rule${index}(x: number): number { return (x * ${factor} + ${add}${imports.map((one) => ` + rule${one}(x)`).join('')}) % 9973 }`,
  ]
  if (module.extraExport) lines.push(`export const extra${index} = () => ${add}`)
  if (module.isDecorated)
    lines.push(
      `const plus = (f: any, _: any) => function (this: any, x: number) { return f.call(this, x) + ${add} }`,
    )
  lines.push(`export class C${index} ${parent === undefined ? '' : `extends C${parent} `}{`)
  lines.push(`  #secret = ${index}`, `  static shared = ${add}`)
  lines.push(`  own${index}() { this.#secret = rule${index}(this.#secret); return this.#secret }`)
  for (const method of module.methods) {
    if (module.isDecorated) lines.push('  @plus')
    const inherited = parent === undefined ? '0' : `(super.${method}?.(x) ?? 1)`
    lines.push(
      `  ${method}(x: number): number { return (this.#secret * ${factor} + rule${index}(x) + ${inherited} + C${index}.shared${module.hasPrivateMethod ? ' + this.#twist(x)' : ''}) % 9973 }`,
    )
  }
  if (module.hasPrivateMethod) lines.push(`  #twist(x: number) { return x ^ ${add} }`)
  if (module.hasGetter) lines.push(`  get seen() { return this.#secret + ${factor} }`)
  // How a test moves an instance from one process to another.
  lines.push(
    `  save${index}(): number { return this.#secret }`,
    `  load${index}(secret: number) { this.#secret = secret; return this }`,
    '}',
  )
  return `${lines.join('\n')}\n`
}

type Instance = Record<string, (x?: number) => number>

/** What an instance says to every question, and where its private state stands. */
export function behaviour(instances: readonly object[]): unknown[] {
  return instances.map((instance) => {
    const one = instance as Instance
    return [
      ...METHODS.map((method) => (typeof one[method] === 'function' ? one[method]!(7) : 'none')),
      (instance as { seen?: number }).seen ?? 'none',
      Object.keys(instance),
    ]
  })
}

/** The private state of an instance by the modules along its parents. */
export function save(
  instance: object,
  count: number,
): (readonly [module: number, secret: number | undefined])[] {
  const one = instance as Instance
  const secrets: (readonly [number, number | undefined])[] = []
  for (let index = 0; index < count; index += 1)
    if (typeof one[`save${index}`] === 'function') secrets.push([index, one[`save${index}`]!()])
  return secrets
}
