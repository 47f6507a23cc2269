import { EventEmitter } from 'node:events'
import { SteppedClock } from '@rts/testing'
import { describe, expect, it } from 'vitest'
import { ModuleScope } from '../src/scope.ts'

describe('a scope', () => {
  it('ends its timers and listeners once it is replaced', async () => {
    const clock = new SteppedClock()
    const log: string[] = []
    const emitter = new EventEmitter()
    const target = new EventTarget()
    const undone: string[] = []
    const old = new ModuleScope(clock)
    old.setInterval(() => log.push('old'), 10)
    old.on(emitter, 'x', () => log.push('old x'))
    old.on(target, 'x', () => log.push('old target'))
    old.on({ on: () => () => undone.push('on') }, 'x', () => {})
    old.use(() => undone.push('use'))
    old.onDispose(() => undone.push('dispose'))
    await clock.advance(25)
    const fresh = new ModuleScope(clock, old)
    fresh.setTimeout(() => log.push('new'), 10)
    expect(fresh.commit()).toEqual([])
    emitter.emit('x')
    target.dispatchEvent(new Event('x'))
    await clock.advance(50)
    expect(log).toEqual(['old', 'old', 'new'])
    expect(undone).toEqual(['dispose', 'on', 'use'])
    expect([old.size, fresh.size, clock.pending]).toEqual([0, 0, 0])
  })

  it('hands a timer on under its key: the phase stays, the function is new', async () => {
    const clock = new SteppedClock()
    const log: string[] = []
    const old = new ModuleScope(clock)
    old.setInterval(() => log.push(`old ${clock.now()}`), 10, 'tick')
    old.setTimeout(() => log.push(`old once ${clock.now()}`), 30, 'once')
    await clock.advance(15)
    const fresh = new ModuleScope(clock, old)
    const stop = fresh.setInterval(() => log.push(`new ${clock.now()}`), 10, 'tick')
    fresh.setTimeout(() => log.push(`new once ${clock.now()}`), 30, 'once')
    fresh.commit()
    await clock.advance(17)
    expect(log).toEqual(['old 10', 'new 20', 'new once 30', 'new 30'])
    expect(fresh.size).toBe(1)
    stop()
    expect([fresh.size, clock.pending]).toEqual([0, 0])
  })

  it('that is abandoned ends what it began and leaves the one before alone', async () => {
    const clock = new SteppedClock()
    const log: string[] = []
    const old = new ModuleScope(clock)
    old.setInterval(() => log.push('old'), 10, 'tick')
    const failed = new ModuleScope(clock, old)
    failed.setInterval(() => log.push('new'), 10, 'tick')
    failed.setInterval(() => log.push('other'), 10)
    failed.onDispose(() => log.push('never'))
    failed.abandon()
    await clock.advance(10)
    expect(log).toEqual(['old'])
  })

  it('tells what disposers threw, and goes on with the others', () => {
    const old = new ModuleScope(new SteppedClock())
    const undone: number[] = []
    old.use(() => {
      throw new Error('no')
    })
    old.use(() => undone.push(1))
    expect(new ModuleScope(new SteppedClock(), old).commit()).toMatchObject([{ message: 'no' }])
    expect(undone).toEqual([1])
  })

  it('starts what there can be but one of when the one before has ended, and returns to that one on a failure', () => {
    const clock = new SteppedClock()
    const taken: string[] = []
    const take = (name: string) => (): (() => void) => {
      if (taken.length > 0) throw new Error(`${taken[0]} is there already`)
      taken.push(name)
      return () => taken.pop()
    }
    const old = new ModuleScope(clock)
    old.start(take('old'))
    expect(taken).toEqual(['old'])
    const failed = new ModuleScope(clock, old)
    failed.start(take('failed'))
    failed.start(() => {
      throw new Error('no')
    })
    expect(() => ModuleScope.handOver([failed])).toThrow('no')
    failed.abandon()
    expect(taken).toEqual(['old'])
    const fresh = new ModuleScope(clock, old)
    const stop = fresh.start(take('new'))
    expect(taken).toEqual(['old'])
    ModuleScope.handOver([fresh])
    expect(fresh.commit()).toEqual([])
    expect(taken).toEqual(['new'])
    stop()
    expect(taken).toEqual([])
    fresh.start(take('later'))
    fresh.dispose()
    expect(taken).toEqual([])
  })
})
