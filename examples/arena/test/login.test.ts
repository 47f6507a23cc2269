import { Client } from '@rts/client'
import type { Transport } from '@rts/rpc'
import { SteppedClock, seededRandom } from '@rts/testing'
import { expect, test } from 'vitest'
import { logins, type Login } from '../src/player/login.ts'

const loginOf = (number: number, gates: readonly string[] = [`ws://gate-${number}`]): Login => ({
  account: 'a',
  name: 'ada',
  ticket: `ticket ${number}`,
  gates,
})

function countedLogins(first: Login = loginOf(1)) {
  let count = 1
  const again = async (): Promise<Login> => loginOf((count += 1))
  return { ...logins(first, again), count: () => count }
}

test('the first gates and the first ticket are those of the first login', async () => {
  const { gates, ticket, count } = countedLogins()
  expect(await gates()).toEqual(['ws://gate-1'])
  expect(await ticket()).toBe('ticket 1')
  expect(count()).toBe(1)
})

test('a ticket is given once', async () => {
  const { gates, ticket } = countedLogins()
  await gates()
  expect([await ticket(), await ticket(), await ticket()]).toEqual([
    'ticket 1',
    'ticket 2',
    'ticket 3',
  ])
})

test('gates that are asked for again are those of a new login, and so is the ticket after them', async () => {
  const { gates, ticket, count } = countedLogins()
  await gates()
  expect(await gates()).toEqual(['ws://gate-2'])
  expect(await ticket()).toBe('ticket 2')
  expect(count()).toBe(2)
})

test('without a new login the ticket of the one before is still good', async () => {
  const { gates, ticket } = logins(loginOf(1), () => Promise.reject(new Error('no answer')))
  await gates()
  await expect(gates()).rejects.toThrow('no answer')
  expect(await ticket()).toBe('ticket 1')
})

test.each([
  ['the server knew no gate yet', []],
  ['the gate it knew is gone', ['ws://gate-1']],
])('a player gets in though at the first login %s', async (_when, known) => {
  const clock = new SteppedClock()
  const dialled: string[] = []
  const transport: Transport = {
    scheme: 'ws',
    listen: () => Promise.reject(new Error('a player does not listen')),
    dial(url) {
      dialled.push(url)
      return Promise.reject(new Error('nobody there'))
    },
  }
  const { gates, ticket } = logins(loginOf(1, known), async () => loginOf(2))
  const client = new Client({
    transports: [transport],
    gates,
    ticket,
    clock,
    random: seededRandom(1),
  })
  client.connect({ timeoutMs: 2000 }).catch(() => {})
  await clock.advance(1000)
  expect(dialled).toContain('ws://gate-2')
  await client.close()
})
