import { expect, test } from 'vitest'
import { Emitter } from '../src/events.ts'
import { World } from './support/world.ts'

test('an error of a listener goes to its place and the others still hear', () => {
  const errors: unknown[] = []
  const emitter = new Emitter<{ tick: number }>((error) => errors.push(error))
  const heard: number[] = []
  emitter.on('tick', () => {
    throw new Error('one')
  })
  emitter.on('tick', (n) => heard.push(n))
  emitter.emit('tick', 7)
  expect(heard).toEqual([7])
  expect(errors).toEqual([new Error('one')])
})

test('the same function may listen twice, and each undo takes away one', () => {
  const emitter = new Emitter<{ tick: number }>(() => {})
  const heard: number[] = []
  const listener = (n: number): void => void heard.push(n)
  const undo = emitter.on('tick', listener)
  emitter.on('tick', listener)
  emitter.emit('tick', 1)
  undo()
  undo()
  emitter.emit('tick', 2)
  expect(heard).toEqual([1, 1, 2])
})

test('without a place for errors, what a listener throws surfaces after the turn', async () => {
  const world = new World()
  const server = world.newServer({ onError: undefined as never })
  server.on('session', () => {
    throw new Error('surfaces')
  })
  const client = world.client()
  world.attach(client, {}, server)
  await expect(world.clock.advance(10)).rejects.toThrow('surfaces')
  await world.clock.advance(10)
  expect(client.state).toBe('open')
})
