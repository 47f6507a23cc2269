import fc from 'fast-check'
import { expect, test } from 'vitest'
import { EventQueue, type QueuedEvent } from '../src/event-queue.ts'

type Step =
  | { readonly kind: 'push'; readonly atMs: number }
  | { readonly kind: 'pop' }
  | { readonly kind: 'cancel'; readonly index: number }

const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('push'), atMs: fc.nat(20) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('pop') }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('cancel'), index: fc.nat(400) }) },
  ) as fc.Arbitrary<Step>,
  { maxLength: 600 },
)

test('gives events in (time, order of pushing), whatever is pushed, popped and cancelled', () => {
  fc.assert(
    fc.property(steps, (history) => {
      const queue = new EventQueue()
      const pushed: QueuedEvent[] = []
      let model: QueuedEvent[] = []
      for (const step of history) {
        if (step.kind === 'push') {
          const event = queue.push(step.atMs, () => {})
          pushed.push(event)
          model = [...model, event].sort((a, b) => a.atMs - b.atMs || a.sequence - b.sequence)
        } else if (step.kind === 'pop') {
          expect(queue.pop()).toBe(model.shift())
        } else {
          const event = pushed[step.index]
          if (event !== undefined) queue.cancel(event)
          model = model.filter((each) => each !== event)
        }
        expect(queue.size).toBe(model.length)
        expect(queue.peek()).toBe(model[0])
      }
    }),
    { seed: 1, numRuns: 100 },
  )
})

test('forgets cancelled events long before their time', () => {
  const queue = new EventQueue()
  for (let round = 0; round < 100_000; round += 1) queue.cancel(queue.push(1e9 - round, () => {}))
  expect(queue.size).toBe(0)
  expect(queue.pop()).toBeUndefined()
})
