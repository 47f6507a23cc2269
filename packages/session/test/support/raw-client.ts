import { decodeServerFrame } from '../../src/frame-decoder.ts'
import { encodeFrame } from '../../src/server-frame-encoder.ts'
import type { Frame, HelloFrame, Malformed, ServerFrame } from '../../src/frame.ts'
import type { Wire } from './wire.ts'

export const HELLO: HelloFrame = {
  type: 'hello',
  minProtocol: 1,
  maxProtocol: 1,
  codecs: ['msgpack'],
  compressions: ['none'],
  instance: new Uint8Array(8),
  attempt: 1,
  ticket: 'ada',
}

/** A client that says what the test wants it to say, and notes what it hears. */
export class RawClient {
  readonly wire: Wire
  readonly heard: (ServerFrame | Malformed)[] = []
  closed: { code: number; reason: string } | undefined

  constructor(wire: Wire) {
    this.wire = wire
    // Copied, since a frame read from a message points into it.
    wire.client.onMessage = (message) => this.heard.push(decodeServerFrame(message.slice()))
    wire.client.onClose = (code, reason) => {
      this.closed = { code, reason }
    }
  }

  say(frame: Frame | Uint8Array): void {
    this.wire.client.send(frame instanceof Uint8Array ? frame : encodeFrame(frame))
  }

  last<T extends ServerFrame['type']>(type: T): Extract<ServerFrame, { type: T }> {
    const found = this.heard.findLast((frame) => frame.type === type)
    if (found === undefined) throw new Error(`no ${type} in ${JSON.stringify(this.heard)}`)
    return found as Extract<ServerFrame, { type: T }>
  }
}
