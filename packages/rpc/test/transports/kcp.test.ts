import { eventually } from '@rts/testing'
import { authenticated, type KcpListener } from '@rts/kcp'
import { afterEach, expect, onTestFinished, test, vi } from 'vitest'
import { CLOSE, systemClock, type Link } from '../../src/index.ts'
import { kcp, type KcpOptions } from '../../src/kcp.ts'

const opened: KcpListener[] = []
vi.mock('@rts/kcp', async (original) => {
  const real = await original<typeof import('@rts/kcp')>()
  const listen: typeof real.listen = async (...args) => {
    const listener = await real.listen(...args)
    opened.push(listener)
    return listener
  }
  return { ...real, listen }
})

const cleanUps: (() => void)[] = []
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp()
})

async function open(here: KcpOptions = {}, there: KcpOptions = here): Promise<[Link, Link]> {
  const [dialer, listener] = [kcp(here), kcp(there)]
  cleanUps.push(
    () => dialer.abort(),
    () => listener.abort(),
  )
  let far: Link | undefined
  const { url } = await listener.listen('kcp://127.0.0.1:0', { trust: 'player' }, (link) => {
    far = link
  })
  const { signal } = new AbortController()
  const near = await dialer.dial(url, { trust: 'player', signal })
  await eventually(() => far !== undefined)
  return [near, far!]
}

test('what may be lost is marked as that, and not taken when it is too large', async () => {
  const [near, far] = await open()
  const got: [number, boolean | undefined][] = []
  far.onMessage = (message, unreliable) => got.push([message.length, unreliable])
  expect(near.sendUnreliable?.(new Uint8Array(1000))).toBe(true)
  expect(near.sendUnreliable?.(new Uint8Array(5000))).toBe(false)
  near.send(new Uint8Array(5000))
  await eventually(() => got.length === 2)
  expect(got.toSorted((a, b) => a[0] - b[0])).toEqual([
    [1000, true],
    [5000, false],
  ])
})

test('a listener with the real clock knows how busy its process is', async () => {
  const looks = vi.spyOn(performance, 'eventLoopUtilization')
  onTestFinished(() => looks.mockRestore())
  const listener = kcp()
  cleanUps.push(() => listener.abort())
  const options = { trust: 'player', clock: systemClock } as const
  await listener.listen('kcp://127.0.0.1:0', options, () => {})
  const before = looks.mock.calls.length
  await eventually(() => looks.mock.calls.length > before)
})

test('a silent link is kept by keepalives, and closes with its code', async () => {
  const [near, far] = await open({ idleTimeoutMs: 1000, keepaliveMs: 100 })
  const closes: number[] = []
  far.onClose = (code) => closes.push(code)
  near.onClose = (code) => closes.push(code)
  near.send(new Uint8Array(3))
  await eventually(() => near.bufferedBytes === 0)
  await new Promise((resolve) => {
    setTimeout(resolve, 1500)
  })
  expect(closes).toEqual([])
  near.close()
  await eventually(() => closes.length === 2)
  expect(closes).toEqual([CLOSE.normal, CLOSE.normal])
})

test('who does not know the secret gets no link', async () => {
  const secret = new Uint8Array(32).fill(1)
  const security = authenticated({ secret })
  await open({ security })
  await expect(open({}, { security })).rejects.toMatchObject({ code: 'RPC_CONNECT_FAILED' })
})

test('a listener is forgotten once it is closed and its last link has ended, and not before', async () => {
  const [dialer, transport] = [kcp(), kcp()]
  cleanUps.push(
    () => dialer.abort(),
    () => transport.abort(),
  )
  let far: Link | undefined
  const { url, close } = await transport.listen(
    'kcp://127.0.0.1:0',
    { trust: 'player' },
    (link) => {
      far = link
    },
  )
  const listener = opened.at(-1)!
  const aborts = vi.spyOn(listener, 'abort')
  const near = await dialer.dial(url, { trust: 'player', signal: new AbortController().signal })
  const closes: number[] = []
  near.onClose = (code) => closes.push(code)
  await eventually(() => far !== undefined)
  await close()
  transport.abort()
  expect(aborts).toHaveBeenCalledTimes(1)
  await eventually(() => closes.length === 1)

  const again = await transport.listen(url, { trust: 'player' }, () => {})
  const abortsAgain = vi.spyOn(opened.at(-1)!, 'abort')
  await again.close()
  await opened.at(-1)!.closed
  transport.abort()
  expect(abortsAgain).not.toHaveBeenCalled()
})
