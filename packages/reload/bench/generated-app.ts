// An app of 200 modules in a 3-ary import tree, about 1.7 KB each, as JavaScript so that no part is type stripping.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const MODULES = 200

export function moduleText(index: number, version = 0): string {
  const children = [1, 2, 3].map((n) => index * 3 + n).filter((child) => child < MODULES)
  const methods = Array.from(
    { length: 12 },
    (_, n) => `  method${n}(a, b) {
    this.count += a * ${n + index} + b
    return this.#twist(a) + this.count + ${version}
  }`,
  )
  return `${children.map((child) => `import { Node${child}, value${child} } from './m${child}.js'`).join('\n')}
export class Node${index} {
  #state = ${index}
  count = 0
  static version = ${version}
  get state() { return this.#state + ${version} }
  #twist(a) { this.#state = (this.#state * 31 + a) | 0; return this.#state }
${methods.join('\n')}
}
export function value${index}(x) {
  return x + ${version}${children.map((child) => ` + value${child}(x)`).join('')}
}
export const children${index} = () => [${children.map((child) => `Node${child}`).join(', ')}]
`
}

export function writeApp(folder: string): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  for (let index = 0; index < MODULES; index += 1)
    writeFileSync(join(folder, `m${index}.js`), moduleText(index))
  writeFileSync(
    join(folder, 'restart.js'),
    "import { value0 } from './m0.js'\nprocess.stdout.write(String(value0(1)))\n",
  )
}
