import { expect, test } from 'vitest'
import { notify, settle, type Notify, type Remote, type RpcTable } from '../src/index.ts'

// The part of an entity-component library that the types look at.
abstract class Component {
  readonly #isComponent = true
  get isComponent(): boolean {
    return this.#isComponent
  }
}
type ComponentClass = abstract new () => Component
type ComponentMap = Readonly<Record<string, ComponentClass>>
type Parts<M extends ComponentMap> = { readonly [K in keyof M]: InstanceType<M[K]> }
class Entity {
  readonly id: string = ''
  static readonly components: object = {}
  static with<B extends abstract new () => Entity, const M extends ComponentMap>(
    this: B,
    components: M,
  ): Omit<B, 'prototype' | 'components'> & {
    new (): InstanceType<B> & Parts<M>
    readonly components: (B extends { readonly components: infer C } ? Omit<C, keyof M> : unknown) &
      M
  } {
    void components
    return this as never
  }
}

class Position extends Component {
  x = 0
}
class Bag extends Component {
  static readonly rpc = {
    use: 'player',
    grant: ['server', 'admin'],
    list: 'player',
  } as const satisfies RpcTable<Bag>
  use(itemId: number): number {
    return itemId
  }
  async grant(itemId: number, count = 1): Promise<{ ok: boolean }> {
    return { ok: itemId > count }
  }
  list(filter?: { kind: string; tags: readonly string[] }): { id: number; count: number }[] {
    void filter
    return []
  }
  secret(): void {}
}
class Avatar extends Entity.with({ bag: Bag, position: Position }) {
  static readonly rpc = { rename: 'player', kick: 'admin' } as const satisfies RpcTable<Avatar>
  name = ''
  rename(name: string): void {
    this.name = name
    this.position.x += 1
    this.bag.secret()
  }
  kick(reason: string): boolean {
    return reason.length > 0
  }
}
class Hero extends Avatar {
  level = 1
}
class Mage extends Avatar {
  static override readonly rpc = {
    ...Avatar.rpc,
    cast: 'player',
    follow: 'player',
    paint: 'player',
    plan: 'player',
    tell: 'player',
    watch: 'player',
  } as const satisfies RpcTable<Mage>
  cast(power: number): void {
    void power
  }
  follow(target: Remote<typeof Avatar, 'player'>): void {
    void target
  }
  paint(pixels: Float32Array): number {
    return pixels.length
  }
  plan(tree: Tree): void {
    void tree
  }
  async tell(rows: AsyncIterable<number>, to?: Remote<typeof Avatar, 'player'>): Promise<number> {
    let count = 0
    for await (const row of rows) count += to === undefined ? row : 1
    return count
  }
  async *watch(channel: string): AsyncGenerator<{ text: string }> {
    yield { text: channel }
  }
}
interface Tree {
  readonly name: string
  readonly children: readonly Tree[]
}
class Shield extends Component {
  static readonly rpc = { raise: 'server', check: 'server' } as const satisfies RpcTable<Shield>
  raise(): boolean {
    return true
  }
  check(claim: unknown): string | number {
    return typeof claim
  }
}
class Knight extends Avatar.with({ shield: Shield }) {
  static override readonly rpc = {
    ...Avatar.rpc,
    joust: 'server',
  } as const satisfies RpcTable<Knight>
  joust(): void {
    this.bag.secret()
    this.shield.raise()
    this.rename('x')
  }
}
class Careless extends Component {
  static readonly rpc = {
    callback: 'server',
    nested: 'server',
    keyed: 'server',
    inside: 'server',
    rows: 'server',
  } as const satisfies RpcTable<Careless>
  callback(then: () => void): void {
    void then
  }
  nested(x: { f: () => void }): void {
    void x
  }
  keyed(x: Map<string, number>): void {
    void x
  }
  inside(x: { rows: AsyncIterable<number> }): void {
    void x
  }
  rows(x: AsyncIterable<() => void>): void {
    void x
  }
}
class Wrong extends Component {
  // @ts-expect-error there is no such method
  static readonly rpc = { nope: 'player' } as const satisfies RpcTable<Wrong>
  use(): void {}
}

declare function lines<T>(): AsyncGenerator<T>

type Ctor = abstract new (...a: never[]) => object
declare function asServer<C extends Ctor>(type: C): Remote<C, 'server'>
declare function asPlayer<C extends Ctor>(type: C): Remote<C, 'player'>

// Never run: what it says is checked by the compiler.
async function callsThatCompileOrNot(): Promise<void> {
  const granted: { ok: boolean } = await asServer(Avatar).bag.grant(7)
  const used: number = await asPlayer(Avatar).bag.use(1)
  await asPlayer(Avatar).rename('kim')
  await asPlayer(Hero).rename('kim')
  const list = await asPlayer(Hero).bag.list({ kind: 'a', tags: [] })
  list[0]?.count.toFixed()
  // @ts-expect-error not open to a server
  await asServer(Avatar).bag.use(1)
  // @ts-expect-error in no table
  await asServer(Avatar).bag.secret()
  // @ts-expect-error a wrong argument
  await asServer(Avatar).bag.grant('x')
  // @ts-expect-error a component without a table
  void asServer(Avatar).position

  const raised: boolean = await asServer(Knight).shield.raise()
  const checked: Promise<string | number> = asServer(Knight).shield.check({ any: ['thing'] })
  const [failure, verdict] = await settle(asServer(Knight).shield.raise())
  const isRaised: boolean | undefined = verdict
  await asServer(Knight).bag.grant(1)
  await asPlayer(Knight).rename('x')
  // @ts-expect-error not open to players
  await asPlayer(Knight).joust()

  const mage = asPlayer(Mage)
  await mage.cast(1)
  await mage.rename('a')
  await mage.follow(asPlayer(Avatar))
  const painted: number = await mage.paint(new Float32Array(4))
  await mage.plan({ name: 'root', children: [] })
  for await (const line of mage.watch('all')) line.text.trim()

  // @ts-expect-error a function cannot be sent
  await asServer(Careless).callback(() => {})
  // @ts-expect-error nor one inside an object
  await asServer(Careless).nested({ f: () => {} })
  // @ts-expect-error a Map has methods; send its entries
  await asServer(Careless).keyed(new Map())

  // @ts-expect-error a stream is an argument of its own
  await asServer(Careless).inside({ rows: lines() })
  // @ts-expect-error whose items can be sent
  await asServer(Careless).rows(lines())
  const counted: number = await mage.tell(lines<number>(), asPlayer(Hero))
  void counted

  const oneWay: Notify<Remote<typeof Avatar>> = notify(asServer(Avatar))
  const accepted: boolean = oneWay.bag.grant(1, 2)
  // @ts-expect-error one way: nothing to await but a boolean
  oneWay.bag.grant(1, 2).then()
  void [checked, failure, isRaised, granted, used, raised, painted, accepted, Wrong]
}

test('remotes offer what the tables open to their caller, and nothing else compiles', () => {
  expect(callsThatCompileOrNot).toBeTypeOf('function')
})
