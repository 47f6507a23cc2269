import { transform } from 'esbuild'
import { expect, test } from 'vitest'
import { pool, RpcError, settle } from '../src/index.ts'

/** Work that ends when the test says so. */
function work() {
  const started: string[] = []
  const ends = new Map<string, { resolve: (value: string) => void; reject: (e: Error) => void }>()
  const run = (name: string): Promise<string> => {
    started.push(name)
    return new Promise((resolve, reject) => void ends.set(name, { resolve, reject }))
  }
  const end = async (name: string): Promise<void> => {
    ends.get(name)?.resolve(`${name} done`)
    await turn()
  }
  return { started, ends, run, end }
}
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

test('at most `limit` run; the others wait and start in order, each as one ends', async () => {
  const { started, run, end } = work()
  const limited = pool({ limit: 2, queue: 10 })
  const pooled = limited(run)
  const all = Promise.all(['a', 'b', 'c', 'd'].map((name) => pooled(name)))
  expect(started).toEqual(['a', 'b'])
  expect([limited.running, limited.waiting]).toEqual([2, 2])
  await end('b')
  expect(started).toEqual(['a', 'b', 'c'])
  for (const name of ['a', 'c', 'd']) await end(name)
  expect(await all).toEqual(['a done', 'b done', 'c done', 'd done'])
  expect([limited.running, limited.waiting]).toEqual([0, 0])
})

test('a call beyond the queue is refused and surely not run', async () => {
  const { started, run, end } = work()
  const pooled = pool({ limit: 1, queue: 1 })(run)
  const kept = [pooled('a'), pooled('b')]
  const [error] = await settle(pooled('c'))
  expect(error).toBeInstanceOf(RpcError)
  expect(error).toMatchObject({ code: 'RPC_OVERLOADED', executed: 'no' })
  await end('a')
  await end('b')
  await Promise.all(kept)
  expect(started).toEqual(['a', 'b'])
})

test('a failure frees its place, reaches who awaits, and is told when nobody does', async () => {
  const told: unknown[] = []
  const limited = pool({ limit: 1, onError: (error) => void told.push(error) })
  const fails = limited(async (text: string) => {
    throw new Error(text)
  })
  void fails('forgotten')
  await expect(fails('awaited')).rejects.toThrow('awaited')
  const thrown = limited.run(() => {
    throw new Error('thrown before any promise')
  })
  await expect(thrown).rejects.toThrow('before any promise')
  expect(told).toHaveLength(3)
  expect(limited.running).toBe(0)
})

test('a signal takes a call out of the queue; one that runs keeps its place until it ends', async () => {
  const { started, run, end } = work()
  const limited = pool({ limit: 1, queue: 2 })
  const [running, waiting] = [new AbortController(), new AbortController()]
  const first = limited.run(() => run('a'), { signal: running.signal })
  const second = limited.run(() => run('b'), { signal: waiting.signal })
  const third = limited.run(() => run('c'))
  waiting.abort(new Error('not any more'))
  running.abort(new Error('too late'))
  await expect(second).rejects.toThrow('not any more')
  expect([limited.running, limited.waiting]).toEqual([1, 1])
  await end('a')
  await end('c')
  expect(await first).toBe('a done')
  expect(await third).toBe('c done')
  expect(started).toEqual(['a', 'c'])
  const late = limited.run(() => run('d'), { signal: waiting.signal })
  await expect(late).rejects.toThrow('not any more')
})

test('one pool wraps several functions, and they share its limit', async () => {
  const { started, run, end } = work()
  const limited = pool({ limit: 1 })
  const [read, write] = [limited(run), limited(run)]
  const both = [read('read'), write('write')]
  expect(started).toEqual(['read'])
  await end('read')
  await end('write')
  await Promise.all(both)
})

test('as a standard decorator it bounds a method over all objects of the class', async () => {
  const source = `return (pool) => class Saver {
    constructor(name) { this.name = name }
    @pool({ limit: 1, queue: 4 })
    async save(work) { return work(this.name) }
  }`
  // As a toolchain that lowers standard decorators would write it.
  const lowered = await transform(`function make() { ${source} }`, { target: 'es2022' })
  const make = new Function(`${lowered.code}; return make()`) as () => (
    p: typeof pool,
  ) => new (name: string) => { save(work: (name: string) => Promise<string>): Promise<string> }
  const Saver = make()(pool)
  const { started, run, end } = work()
  const both = [new Saver('a').save(run), new Saver('b').save(run)]
  expect(started).toEqual(['a'])
  await end('a')
  await end('b')
  expect(await Promise.all(both)).toEqual(['a done', 'b done'])
})

test('a limit or queue that is no count is refused', () => {
  for (const limit of [0, -1, 1.5, Number.NaN]) expect(() => pool({ limit })).toThrow(RangeError)
  for (const queue of [-1, 0.5]) expect(() => pool({ limit: 1, queue })).toThrow(RangeError)
})
