import { afterEach, expect, test, vi } from 'vitest'
import { connect, listen } from '../../src/index.ts'

interface Found {
  readonly address: string
  readonly family: number
}

const names = new Map<string, readonly Found[]>()
vi.mock('node:dns/promises', async (original) => ({
  ...(await original<typeof import('node:dns/promises')>()),
  lookup: (name: string) => {
    const found = names.get(name)
    if (found !== undefined) return Promise.resolve(found)
    return Promise.reject(Object.assign(new Error(name), { code: 'ENOTFOUND' }))
  },
}))

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  names.clear()
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

const V4: Found = { address: '127.0.0.1', family: 4 }
const V6: Found = { address: '::1', family: 6 }

test.each([
  { title: 'IPv6 alone', found: [V6], at: '::1' },
  { title: 'IPv4 alone', found: [V4], at: '127.0.0.1' },
  {
    title: 'both, IPv4 is taken, where listeners are by default',
    found: [V6, V4],
    at: '127.0.0.1',
  },
  {
    title: 'both, the one is taken to which there is a way',
    found: [{ address: '255.255.255.255', family: 4 }, V6],
    at: '::1',
  },
])('of a name with $title', async ({ found, at }) => {
  names.set('server.test', found)
  const listener = await listen({ host: at, port: 0 }, () => {})
  cleanUps.push(() => listener.abort())
  const session = await connect({ host: 'server.test', port: listener.port })
  cleanUps.push(() => session.destroy())
  expect([session.remoteAddress, session.isOpen]).toEqual([at, true])
})

test('a listener binds what its name stands for', async () => {
  names.set('server.test', [V6])
  const listener = await listen({ host: 'server.test', port: 0 }, () => {})
  cleanUps.push(() => listener.abort())
  expect(listener.address).toBe('::1')
})

test('a name that nobody has is told of, by both', async () => {
  const where = { host: 'nobody.test', port: 7000 }
  const message = 'nobody.test port 7000: ENOTFOUND'
  await expect(connect(where)).rejects.toMatchObject({ code: 'KCP_CONNECT_FAILED', message })
  await expect(listen(where, () => {})).rejects.toMatchObject({
    code: 'KCP_LISTEN_FAILED',
    message,
  })
})
