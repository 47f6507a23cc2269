import { Duplex } from 'node:stream'
import { KcpError } from '../errors.ts'
import type { KcpCloseInfo } from './closes.ts'
import type { KcpSession } from './session.ts'

/** A write is cut into messages of this size, so that no reader's limit is passed. */
const CHUNK_BYTES = 16 * 1024

/** A session as a stream of bytes. */
export function duplexOf(session: KcpSession): Duplex {
  /** A write that waits until there is room. */
  let waiting: { readonly goOn: () => void; readonly fail: (error: KcpError) => void } | undefined
  const duplex = new Duplex({
    allowHalfOpen: false,
    read: () => session.resume(),
    write(chunk: Uint8Array, _encoding, done) {
      let at = 0
      let isSettled = false
      const settle = (error?: KcpError): void => {
        // A send may end the session, and so this write, before it returns.
        if (isSettled) return
        isSettled = true
        waiting = undefined
        done(error)
      }
      const goOn = (): void => {
        while (at < chunk.length && session.isOpen) {
          const part = chunk.subarray(at, at + CHUNK_BYTES)
          at += part.length
          if (!session.send(part) && session.isOpen) return
        }
        settle(session.isOpen ? undefined : endOf(session))
      }
      waiting = { goOn, fail: settle }
      goOn()
    },
    final(done) {
      session.on('close', ({ error }) => done(error))
      if (session.closeInfo !== undefined) done(session.closeInfo.error)
      // One that the other end has closed ends once all is read.
      else if (session.isOpen) void session.close()
    },
    destroy(error, done) {
      if (error === null) void session.close()
      else session.destroy()
      done(error)
    },
  })
  const end = ({ error }: KcpCloseInfo): void => {
    if (error !== undefined) duplex.destroy(error)
    else duplex.push(null)
    waiting?.fail(endOf(session))
  }
  session.on('drain', () => waiting?.goOn())
  session.on('close', end)
  session.on('message', (bytes) => {
    if (!duplex.push(bytes)) session.pause()
  })
  if (session.closeInfo !== undefined) end(session.closeInfo)
  return duplex
}

const endOf = ({ closeInfo }: KcpSession): KcpError =>
  closeInfo?.error ?? new KcpError('KCP_CLOSED', 'the session is closed')
