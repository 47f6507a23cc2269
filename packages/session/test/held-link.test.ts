import { expect, test } from 'vitest'
import { decodeServerFrame } from '../src/frame-decoder.ts'
import { HeldLink } from '../src/held-link.ts'
import type { SessionLink } from '../src/link.ts'

function setUp(change: Partial<SessionLink> = {}) {
  const calls: string[] = []
  const sent: Uint8Array[] = []
  const link: SessionLink = {
    bufferedBytes: 0,
    send: (message) => {
      sent.push(message)
      return true
    },
    close: (code, reason) => calls.push(`close ${code} ${reason}`),
    onMessage: () => {},
    onDrain: () => {},
    onClose: () => {},
    ...change,
  }
  const heard: string[] = []
  const handlers = (name: string) => ({
    message: (message: Uint8Array) => heard.push(`${name} message ${message.length}`),
    drained: () => heard.push(`${name} drained`),
    closed: (code: number, reason: string) => heard.push(`${name} closed ${code} ${reason}`),
  })
  return { link, held: new HeldLink(link, handlers('first')), handlers, heard, calls, sent }
}

test('says bye before it closes', () => {
  const { held, calls, sent } = setUp()
  held.close(4202, 'out')
  expect(sent.map(decodeServerFrame)).toEqual([{ type: 'bye', code: 4202, reason: 'out' }])
  expect(calls).toEqual(['close 4202 out'])
})

test('is silent once released, however late the link speaks', () => {
  const { held, link, heard, calls } = setUp()
  held.drop(4000, 'x')
  link.onMessage(new Uint8Array(3))
  link.onDrain()
  link.onClose(1006, 'late')
  held.close(4000, 'again')
  expect(heard).toEqual([])
  expect(calls).toEqual(['close 4000 x'])
  expect(held.isHeld).toBe(false)
  expect(held.send(new Uint8Array(1))).toBe(false)
})

test('tells of a close once', () => {
  const { link, heard } = setUp()
  link.onClose(1006, 'cut')
  link.onClose(1006, 'cut')
  expect(heard).toEqual(['first closed 1006 cut'])
})

test('speaks to its new owner after a hand-over', () => {
  const { held, link, handlers, heard } = setUp()
  held.handOver(handlers('second'))
  link.onMessage(new Uint8Array(3))
  expect(heard).toEqual(['second message 3'])
})

test('a link that throws when it sends counts as closed', () => {
  const { held, heard } = setUp({
    send: () => {
      throw new Error('socket is gone')
    },
  })
  expect(held.send(new Uint8Array(1))).toBe(false)
  expect(heard).toEqual(['first closed 4000 Error: socket is gone'])
})

test('a link that throws when it closes harms nobody', () => {
  const fail = (): never => {
    throw new Error('socket is gone')
  }
  const { held, heard } = setUp({ send: fail, close: fail })
  held.close(4202, 'out')
  expect(held.isHeld).toBe(false)
  expect(heard).toEqual([])
})
