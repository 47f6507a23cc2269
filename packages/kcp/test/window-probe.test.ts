import { describe, expect, test } from 'vitest'
import { ACK, deliver, End, STARTS, WASK, WINS } from './support/wire.ts'

const FAST = { nodelay: 1, interval: 10, resend: 2, nc: true } as const

describe.each(STARTS)('with numbers that begin near $where', (start) => {
  test('stops at a closed window, asks with growing waits, and goes on when told', () => {
    const sender = new End(start, { ...FAST, deadLinkMs: 0 })
    const receiver = new End(start, { rcvWnd: 4 })
    for (let index = 0; index < 8; index += 1) sender.send(`${index}`)
    const exchange = (): void => {
      sender.kcp.flush(sender.nowMs)
      deliver(sender, receiver)
      receiver.kcp.flush(receiver.nowMs)
      deliver(receiver, sender)
    }
    // Before it knows better it takes the peer to have the default window: four wait for the reader, four behind them.
    exchange()
    for (let index = 8; index < 12; index += 1) sender.send(`${index}`)
    expect(sender.kcp.rmtWnd).toBe(0)
    for (let index = 0; index < 5; index += 1) expect(receiver.receive()).toBe(`${index}`)
    // There is room now, but the telling is lost.
    expect(receiver.flush()).toMatchObject([{ cmd: WINS, wnd: 1 }])
    const asked: number[] = []
    for (let turn = 0; turn < 400 && asked.length < 3; turn += 1) {
      const due = sender.kcp.nextDeadline(sender.nowMs)
      sender.wait(Math.max(0, due - sender.nowMs))
      for (const { cmd } of sender.flush()) if (cmd === WASK) asked.push(sender.nowMs - start.ms)
    }
    expect(asked).toEqual([500, 1250, 2375])
    for (let turn = 0; turn < 20; turn += 1) {
      sender.wait(1000)
      receiver.wait(1000)
      exchange()
      receiver.receiveAll()
    }
    expect(sender.kcp.waitSnd).toBe(0)
    expect(receiver.kcp.rcvNxt).toBe(receiver.sn(12))
  })

  test('a window that opens is told at the next flush', () => {
    const receiver = new End(start, { rcvWnd: 2 })
    receiver.input({ sn: 0, payload: new Uint8Array(1) }, { sn: 1, payload: new Uint8Array(1) })
    expect(receiver.flush()).toMatchObject([{ cmd: ACK, wnd: 0 }])
    expect(receiver.kcp.nextDeadline(receiver.nowMs)).toBe(Infinity)
    receiver.receive()
    expect(receiver.kcp.nextDeadline(receiver.nowMs)).toBe(receiver.nowMs)
    expect(receiver.flush()).toMatchObject([{ cmd: WINS, wnd: 1 }])
  })
})
