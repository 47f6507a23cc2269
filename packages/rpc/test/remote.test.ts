import { expect, test } from 'vitest'
import { notify, RpcError, settle, withCall, type CallOptions } from '../src/index.ts'
import type { CallTarget } from '../src/call-target.ts'
import { entityRemote, serviceRemote } from '../src/remote.ts'

interface Seen {
  readonly name: string
  readonly entity: Uint8Array | undefined
  readonly args: readonly unknown[]
  readonly options: CallOptions | undefined
  readonly unreliable?: boolean
}

function recorder(): { seen: Seen[]; target: CallTarget } {
  const seen: Seen[] = []
  return {
    seen,
    target: {
      call: (route, entity, args, options) => {
        seen.push({ name: `${route.service}/${route.method}`, entity, args, options })
        return Promise.resolve(seen.length)
      },
      notify: (route, entity, args, unreliable) => {
        const name = `${route.service}/${route.method}`
        seen.push({ name, entity, args, options: undefined, unreliable })
        return true
      },
    },
  }
}

// Tables are for the compiler; here it is about what a remote does at run time.
type Loose = Record<string, Record<string, (...args: unknown[]) => Promise<unknown>>> &
  Record<string, (...args: unknown[]) => Promise<unknown>>

test('methods and components of any depth become calls', async () => {
  const { seen, target } = recorder()
  const remote = serviceRemote(target, 'svc') as Loose
  expect(await remote['go']!(1, 'a')).toBe(1)
  expect(await remote['bag']!['use']!(2)).toBe(2)
  expect(seen.map(({ name, args }) => [name, args])).toEqual([
    ['svc/go', [1, 'a']],
    ['svc/bag.use', [2]],
  ])
})

test('a member can be stored and called later, and is the same each time', async () => {
  const { seen, target } = recorder()
  const { bag } = entityRemote(target, 'e1') as Loose
  const use = bag!['use']!
  await use(1)
  expect(bag!['use']).toBe(use)
  expect(seen[0]?.entity).toEqual(Uint8Array.of(2, 101, 49))
})

test('methods named like those of functions are remote like any other', async () => {
  const { seen, target } = recorder()
  const gate = serviceRemote(target, 'gate') as Loose
  for (const name of ['bind', 'call', 'apply', 'name', 'length', 'arguments']) await gate[name]!(1)
  expect(seen.map((one) => one.name)).toEqual([
    'gate/bind',
    'gate/call',
    'gate/apply',
    'gate/name',
    'gate/length',
    'gate/arguments',
  ])
})

test('a remote is no promise: it can be awaited, returned and resolved with', async () => {
  const { seen, target } = recorder()
  const remote = serviceRemote(target, 'svc') as Loose
  const bag = remote['bag']
  expect((remote as unknown as { then: unknown }).then).toBeUndefined()
  expect(await remote).toBe(remote)
  expect(await bag).toBe(bag)
  expect(await Promise.resolve(remote)).toBe(remote)
  expect(seen).toEqual([])
})

test('symbols, and names that every object has, are never calls', () => {
  const { seen, target } = recorder()
  const remote = serviceRemote(target, 'svc') as Loose
  for (const symbol of [Symbol.iterator, Symbol.toPrimitive, Symbol.asyncIterator, Symbol('x')]) {
    expect((remote as unknown as Record<symbol, unknown>)[symbol]).toBeUndefined()
  }
  for (const name of ['constructor', '__proto__', 'hasOwnProperty', 'valueOf', 'toJSON']) {
    expect(remote[name], name).toBeUndefined()
  }
  expect(String(remote)).toBe('[remote svc]')
  expect(String(remote['bag'])).toBe('[remote svc.bag]')
  expect(seen).toEqual([])
})

test('a remote cannot be called itself, nor changed', () => {
  const remote = serviceRemote(recorder().target, 'svc') as Loose
  expect(() => (remote as unknown as () => void)()).toThrow(/not a function/)
  expect(() => {
    remote['x'] = undefined as never
  }).toThrow(TypeError)
  expect(() => delete remote['x']).toThrow(TypeError)
})

test('withCall gives a remote with options and leaves the first as it was', async () => {
  const { seen, target } = recorder()
  const remote = serviceRemote(target, 'svc') as Loose
  await withCall(remote, { timeoutMs: 7 })['go']!()
  await withCall(remote['bag']!, { timeoutMs: 8 })['use']!()
  await remote['go']!()
  expect(seen.map(({ name, options }) => [name, options?.timeoutMs])).toEqual([
    ['svc/go', 7],
    ['svc/bag.use', 8],
    ['svc/go', undefined],
  ])
  expect(() => withCall({}, {})).toThrow(/not a remote/)
})

test('notify gives a remote whose methods return a boolean', () => {
  const { seen, target } = recorder()
  const remote = serviceRemote(target, 'svc') as Loose
  expect((notify(remote) as unknown as Loose)['bag']!['use']!(1)).toBe(true)
  expect((notify(remote, { unreliable: true }) as unknown as Loose)['go']!()).toBe(true)
  expect(seen.map(({ name, unreliable }) => [name, unreliable])).toEqual([
    ['svc/bag.use', false],
    ['svc/go', true],
  ])
})

test('settle gives a pair instead of throwing', async () => {
  expect(await settle(Promise.resolve(3))).toEqual([undefined, 3])
  const error = new RpcError('RPC_CLOSED', 'gone')
  expect(await settle(Promise.reject(error))).toEqual([error, undefined])
  // oxlint-disable-next-line prefer-promise-reject-errors -- what others reject with is not ours to choose
  const [wrapped] = await settle(Promise.reject('text'))
  expect([wrapped?.message, wrapped?.cause]).toEqual(['text', 'text'])
})

test('a service needs a name and an entity an id', () => {
  const { target } = recorder()
  expect(() => serviceRemote(target, '')).toThrow(RangeError)
  expect(() => entityRemote(target, '')).toThrow(RangeError)
})
