import { settle, withCall } from '@rts/rpc'
import { CLOSE } from '@rts/session'
import { seededRandom } from '@rts/testing'
import { expect, it } from 'vitest'
import { Chat, World } from './support/world.ts'

it('settles every call, in order and once, whatever happens to links, routes and sessions (30 seeds)', async () => {
  for (let seed = 1; seed <= 30; seed += 1) {
    await using world = new World(seed)
    const random = seededRandom(seed)
    const gate = await world.gate()
    const chat = new Chat()
    gate.backend.rpc.expose('chat', chat)
    const client = await world.connected()
    const remote = withCall(client.remote<typeof Chat>('lobby', 'chat'), { timeoutMs: 2000 })
    const outcomes: { readonly text: string; readonly executed: string }[] = []
    let calls = 0
    for (let round = 0; round < 60; round += 1) {
      for (let count = random.int(4); count > 0; count -= 1) {
        const text = `${(calls += 1)}`
        void settle(remote.say(text)).then(([error]) => {
          const executed = (error as { executed?: string } | undefined)?.executed
          outcomes.push({ text, executed: error === undefined ? 'yes' : (executed ?? '?') })
        })
      }
      const fate = random.int(20)
      if (fate < 4) world.network.cut('player', 'gate_1')
      else if (fate === 4) gate.bind('lobby')
      else if (fate === 5) gate.lose('lobby')
      else if (fate === 6) gate.session.close(CLOSE.sessionUnknown, 'gone')
      await world.clock.advance(random.int(80))
      if (gate.session.state !== 'closed' && gate.session.routes.get('lobby')?.state !== 'bound')
        gate.bind('lobby')
    }
    await world.until(() => outcomes.length === calls, 60_000)

    const said = chat.said.map(Number)
    expect(said, `seed ${seed}: in order, each at most once`).toEqual(
      [...new Set(said)].toSorted((a, b) => a - b),
    )
    for (const { text, executed } of outcomes) {
      expect(['yes', 'no', 'maybe']).toContain(executed)
      if (executed === 'yes') expect(chat.said).toContain(text)
      if (executed === 'no') expect(chat.said).not.toContain(text)
    }
    expect(outcomes.filter(({ executed }) => executed === 'yes').length).toBeGreaterThan(0)
  }
})
