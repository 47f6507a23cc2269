import { describe, expect, it } from 'vitest'
import { transform } from '../src/transform.ts'

const codeOf = (source: string): string => transform('/app/m.ts', source).code

describe('rewriting', () => {
  it('keeps every line where it is', () => {
    const source = `import {
  a,
} from './a.ts'
interface Wide {
  x: number
}
export class C {
  #x = a
}
export const done = 1`
    const lines = codeOf(source).split('\n')
    // The last line is the source map.
    expect(lines).toHaveLength(source.split('\n').length + 2)
    expect(lines[9]).toContain('const done = 1')
  })

  it('reads imports where they are not hidden by a name of a scope between', () => {
    const code = codeOf(`import { a, b as c } from './a.ts'
export const one = a + c
export function two(a: number) { return a }
export const three = () => { const a = 1; { let c = 2; return a + c } }
export const four = ({ a }: { a: number }, [c] = [a]) => { try { throw c } catch (a) { return a } }
export const five = { a, b: c, c: 1 }
for (const a of [1]) void a
label: for (;;) break label`)
    expect(code).toContain('one = __i0.a + __i0.b')
    expect(code).toContain('two(a        ) { return a }')
    expect(code).toContain('let c = 2; return a + c')
    expect(code).toContain('catch (a) { return a }')
    expect(code).toContain('{ a: __i0.a, b: __i0.b, c: 1 }')
    expect(code).toContain('for (const a of [1]) void a')
  })

  it('calls an import without a receiver, also where no semicolon ends the line before', () => {
    const code = codeOf(`import { f } from './a.ts'
let x = 1
f(x)
if (x) f(x)
f\`t\``)
    expect(code).toContain('\n;(0, __i0.f)(x)')
    expect(code).toContain('if (x) (0, __i0.f)(x)')
    expect(code).toContain('(0, __i0.f)`t`')
  })

  it('leaves classes made inside functions as they are', () => {
    const code = codeOf('export const make = () => class { #x = 1; get() { return this.#x } }')
    expect(code).toContain('class { #x = 1; get() { return this.#x } }')
  })

  it.each([
    ['export const a = await 1', 'RELOAD_TOP_LEVEL_AWAIT', 1],
    ['\nfor await (const x of []) {}', 'RELOAD_TOP_LEVEL_AWAIT', 2],
    ['import { a } from "./a.ts"\na = 1', 'RELOAD_SYNTAX', 2],
    ['\n\nconst a = {', 'RELOAD_SYNTAX', 3],
    ['enum A { B = }', 'RELOAD_SYNTAX', 1],
    ['const a = 1\nconst a = 2', 'RELOAD_SYNTAX', 2],
  ])('refuses %j with its place', (source, code, line) => {
    let thrown: unknown
    try {
      transform('/app/m.ts', source)
    } catch (error) {
      thrown = error
    }
    expect(thrown).toMatchObject({ code, place: { file: '/app/m.ts', line } })
  })
})
