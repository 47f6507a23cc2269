import { errorReply } from './error-reply.ts'
import { RpcError } from './errors.ts'
import type { Link } from './link.ts'
import { StreamSource } from './stream-source.ts'
import { encodeFailedEnd, encodeItem } from './body-frames.ts'
import { encodeIdFrame, FLAG, KIND } from './wire.ts'

/** What the streams that one end sends as arguments share. */
export interface ArgumentOutlet {
  readonly link: Link
  readonly maxSendBytes: number
  isReady(): boolean
  transmit(frame: Uint8Array): void
  encode<T>(encode: () => T): T
  ended(id: number): void
}

/** The sending end of one stream that is an argument. */
export function makeArgumentSource(
  id: number,
  iterable: AsyncIterable<unknown>,
  outlet: ArgumentOutlet,
): StreamSource {
  return new StreamSource(iterable, {
    isReady: () => outlet.isReady(),
    item(value) {
      const frame = outlet.encode(() => encodeItem(id, value))
      if (frame.length > outlet.maxSendBytes) {
        const text = `an item of ${frame.length} bytes, ${outlet.maxSendBytes} are accepted`
        throw new RpcError('RPC_TOO_LARGE', text)
      }
      frame[0] = KIND.item | FLAG.up
      outlet.transmit(frame)
      return frame.length - 5
    },
    end(error) {
      outlet.ended(id)
      outlet.transmit(error === undefined ? endFrame(id) : failedEndFrame(id, error.reason))
    },
    first: (step) => step(),
  })
}

const endFrame = (id: number): Uint8Array => encodeIdFrame(KIND.end | FLAG.up, id)

export function failedEndFrame(id: number, error: unknown): Uint8Array {
  const { code, message } = errorReply(error, 'server')
  const frame = encodeFailedEnd(id, code, message, undefined)
  frame[0] = frame[0]! | FLAG.up
  return frame
}
