import { systemClock, systemRandom } from '@rts/rpc'
import { tcp } from '@rts/rpc/tcp'
import { ws } from '@rts/rpc/ws'
import { eventually, freePort, TcpFaultProxy } from '@rts/testing'
import { describe, expect, it } from 'vitest'
import { nodeClient } from '../src/node.ts'
import { TestGate } from './support/test-gate.ts'
import { Chat, Hud } from './support/world.ts'

const portOf = (url: string): number => Number(new URL(url.replace(/^\w+/, 'http')).port)

describe.each([
  ['tcp', 'tcp://127.0.0.1:0'],
  ['ws', 'ws://127.0.0.1:0/play'],
])('Client on real %s sockets', (scheme, listenUrl) => {
  it('calls, is called, and loses nothing when its link is cut', async () => {
    const gate = new TestGate(scheme === 'tcp' ? tcp() : ws(), systemClock, systemRandom)
    const chat = new Chat()
    gate.backend.rpc.expose('chat', chat)
    const listener = await gate.listen(listenUrl)
    await using proxy = await TcpFaultProxy.listen({
      target: { host: '127.0.0.1', port: portOf(listener.url) },
    })
    const dead = `tcp://127.0.0.1:${await freePort()}`
    await using client = nodeClient({
      gates: [dead, listener.url.replace(/:\d+/, `:${proxy.port}`)],
      ticket: 'ann',
    })
    client.expose('hud', new Hud())
    await client.connect()
    const remote = client.remote<typeof Chat>('lobby', 'chat')
    expect(await remote.say('first')).toBe(1)
    const peer = gate.backend.peers.get(`${client.sessionId} lobby`)!
    expect(await peer.service<typeof Hud>('hud').ask('ready')).toBe('ready? yes')

    let lost = 0
    client.on('lost', () => (lost += 1))
    const calls: Promise<number>[] = []
    for (let index = 2; index < 32; index += 1) {
      calls.push(remote.say(`${index}`))
      if (index % 10 === 5) {
        await eventually(() => client.state === 'open')
        const before = lost
        proxy.cut()
        await eventually(() => lost > before)
      }
    }
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 30 }, (_, index) => index + 2))
    expect(client.stats()).toMatchObject({ sessionsOpened: 1, resets: 0 })
    expect(client.stats().resumes).toBeGreaterThanOrEqual(3)

    const { session } = gate
    await client.close('done')
    await eventually(() => session.state === 'closed')
    await listener.close()
    await gate.close()
  })
})
