import { expect, test } from 'vitest'
import { CALLER_BIT, exposeByClass, exposeByTable, holderOf } from '../src/exposure.ts'

class Bag {
  static readonly rpc: object = { use: 'player', grant: ['server', 'admin'] }
  use(): string {
    return 'used'
  }
  grant(): void {}
  secret(): void {}
}
class Position {
  x = 0
}
class Avatar {
  static readonly components: object = { bag: Bag, position: Position }
  static readonly rpc: object = { rename: 'player' }
  bag: Bag | undefined = new Bag()
  rename(): void {}
}

test('opens what the tables of the class and of its components say, and nothing else', () => {
  const methods = exposeByClass(new Avatar())
  expect([...methods.keys()].sort()).toEqual(['bag.grant', 'bag.use', 'rename'])
  expect(methods.get('bag.grant')?.callers).toBe(CALLER_BIT.server | CALLER_BIT.admin)
  expect(methods.get('rename')?.callers).toBe(CALLER_BIT.player)
  for (const name of ['secret', 'bag.secret', 'constructor', '__proto__', 'toString', 'bag']) {
    expect(methods.get(name), name).toBeUndefined()
  }
})

test('a subclass keeps its parent’s table unless it has its own', () => {
  class Hero extends Avatar {}
  class Mage extends Avatar {
    static override readonly rpc: object = { cast: 'player' }
    cast(): void {}
  }
  expect(exposeByClass(new Hero()).has('rename')).toBe(true)
  expect([...exposeByClass(new Mage()).keys()].sort()).toEqual(['bag.grant', 'bag.use', 'cast'])
})

test('compiles a class once, and again when it gets another table', () => {
  class Live {
    static rpc: object = { first: 'server' }
    first(): void {}
    second(): void {}
  }
  const before = exposeByClass(new Live())
  expect(exposeByClass(new Live())).toBe(before)
  Live.rpc = { second: 'server' }
  expect([...exposeByClass(new Live()).keys()]).toEqual(['second'])
})

test('refuses tables that name what is no method of the object', () => {
  expect(() => exposeByTable(new Bag(), { nope: 'server' }, 'bag')).toThrow(/"nope".*not a method/)
  expect(() => exposeByTable({ size: 3 }, { size: 'server' }, 'x')).toThrow(TypeError)
  class Broken {
    static readonly components: object = { bag: Bag }
    bag: object = { use: 1 }
  }
  expect(() => exposeByClass(new Broken())).toThrow(/Broken\.bag.*"use"/)
})

test('refuses names that every object has, that contain a dot, or that look like a promise', () => {
  for (const name of ['constructor', 'toString', 'hasOwnProperty', 'then', 'toJSON', 'a.b', '']) {
    const target = { [name]: () => {} }
    expect(() => exposeByTable(target, { [name]: 'server' }, 'x'), name).toThrow(
      /cannot be exposed/,
    )
  }
  const proto = JSON.parse('{"__proto__": "server"}') as object
  expect(() => exposeByTable({}, proto, 'x')).toThrow(/cannot be exposed/)
})

test('refuses caller kinds that do not exist', () => {
  for (const callers of ['everyone', ['player', 'root'], 7, null, 'constructor']) {
    expect(() => exposeByTable({ a() {} }, { a: callers }, 'x')).toThrow(/no caller kind/)
  }
})

test('refuses an object whose class has no table', () => {
  expect(() => exposeByClass({ a() {} })).toThrow(/no rpc table/)
  expect(() => exposeByClass(new Position())).toThrow(/no rpc table/)
  expect(() => exposeByClass(Object.create(null) as object)).toThrow(/no class/)
})

test('takes an absent component’s class at its word, and finds the component when it is there', () => {
  const avatar = new Avatar()
  avatar.bag = undefined
  const use = exposeByClass(avatar).get('bag.use')!
  expect(holderOf(avatar, use)).toBeUndefined()
  avatar.bag = new Bag()
  expect(holderOf(avatar, use)).toBe(avatar.bag)
})
