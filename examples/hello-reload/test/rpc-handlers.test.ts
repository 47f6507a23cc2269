// The row "RPC handlers" of the fidelity table of `@rts/reload`: what each way of changing the code does to a service
// that is reachable while the code changes.
import { mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type * as Reload from '@rts/reload'
import { type RpcNode as Node, RpcNode, settle } from '@rts/rpc'
import { memoryNetwork } from '@rts/rpc/memory'
import { scratchFolder } from '@rts/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

// Hooks into Node's loader: loaded by that, not by the test runner.
const { createReloader, liveEdit } = createRequire(import.meta.url)('@rts/reload') as typeof Reload

const DESK = (n: number): string => `import { scope } from '@rts/reload'
export class Desk {
  static readonly rpc = { ask: 'server', count: 'server', later: 'server' }
  #asked = 0
  ask() {
    this.#asked += 1
    return ${n}
  }
  count() { return this.#asked }
  async later(gate: number) {
    await globalThis.rtsGates[gate].promise
    return this.ask()
  }
}
export class Clerk {
  static readonly rpc = { ask: 'server'${n === 1 ? '' : ", more: 'server'"} }
  ask() { return ${n} }
  more() { return 'more' }
}
scope.start(() => globalThis.rtsNode.expose('clerk', new Clerk()))
`

interface Remote {
  ask(): Promise<number>
  count(): Promise<number>
  more(): Promise<string>
  later(gate: number): Promise<number>
}

interface RunningDesk {
  readonly reloader: Reload.Reloader
  readonly caller: Node
  readonly desk: Remote
  readonly clerk: Remote
  readonly file: string
}

describe('RPC handlers', () => {
  const gates = Array.from({ length: 4 }, () => Promise.withResolvers<void>())
  const open: AsyncDisposable[] = []
  let running: RunningDesk
  let asked = 0

  beforeAll(async () => {
    const scratch = await scratchFolder('hello-reload-')
    const network = memoryNetwork()
    const node = new RpcNode({ id: 'desk', transports: [network.transport()], trustLoopback: true })
    const caller = new RpcNode({
      id: 'caller',
      transports: [network.transport()],
      trustLoopback: true,
    })
    Object.assign(globalThis, { rtsNode: node, rtsGates: gates })
    const folder = join(scratch.path, 'app')
    mkdirSync(folder)
    const file = join(folder, 'desk.ts')
    writeFileSync(file, DESK(1))
    const reloader = createReloader({ roots: [folder], detectNative: false })
    const { Desk } = await reloader.import<{ Desk: new () => object }>(file)
    // Exposed by code that is not hot: the same object for ever.
    node.expose('desk', new Desk())
    const { url } = await node.listen('memory://desk')
    const at = (service: string): Remote => caller.at(url, service) as unknown as Remote
    running = { reloader, caller, file, desk: at('desk'), clerk: at('clerk') }
    for (const closes of [caller, node]) open.push({ [Symbol.asyncDispose]: () => closes.close() })
    open.push({ [Symbol.asyncDispose]: async () => reloader.close() }, scratch)
  })

  afterAll(async () => {
    for (const one of open) await one[Symbol.asyncDispose]()
  })

  const ways: readonly (readonly [string, number])[] = [
    ['incremental', 2],
    ['full', 3],
    ['live edit', 4],
    ['rollback', 2],
  ]
  test.each(ways)(
    '%s: the exposed object, one exposed through the scope and a call in progress run what is new',
    async (way, n) => {
      const { reloader, desk, clerk, file } = running
      const gate = ways.findIndex(([name]) => name === way)
      const later = desk.later(gate)
      await desk.count()
      if (way !== 'rollback') writeFileSync(file, DESK(n))
      if (way === 'live edit') {
        // A suspended call of a function that stays the same does not hinder it.
        expect(liveEdit(reloader, file)).toEqual({ ok: true, status: 'Ok' })
      } else {
        const report = await (way === 'incremental'
          ? reloader.incremental()
          : way === 'full'
            ? reloader.full()
            : reloader.rollback())
        if (!report.ok) throw report.failure!.cause
        expect(report.warnings).toEqual([])
      }
      gates[gate]!.resolve()
      expect(await Promise.all([desk.ask(), clerk.ask(), later])).toEqual([n, n, n])
      asked += 2
      expect(await desk.count()).toBe(asked)
    },
  )

  test('a method that a reload adds to the table can be called, one that it takes away cannot', async () => {
    const { reloader, clerk, file } = running
    expect(await clerk.more()).toBe('more')
    writeFileSync(file, DESK(1))
    expect((await reloader.incremental()).ok).toBe(true)
    const [error] = await settle(clerk.more())
    expect(error?.code).toBe('RPC_UNKNOWN_METHOD')
    expect(await clerk.ask()).toBe(1)
  })
})
