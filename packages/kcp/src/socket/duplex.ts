import { Duplex } from 'node:stream'
import { KcpError } from '../errors.ts'
import type { KcpSession } from './session.ts'

/** A write is cut into messages of this size, so that no reader's limit is passed. */
const CHUNK_BYTES = 16 * 1024

/** A session as a stream of bytes. */
export function duplexOf(session: KcpSession): Duplex {
  let afterDrain: (() => void) | undefined
  const duplex = new Duplex({
    allowHalfOpen: false,
    read: () => session.resume(),
    write(chunk: Uint8Array, _encoding, done) {
      if (!session.isOpen) {
        done(new KcpError('KCP_CLOSED', 'the session is closed'))
        return
      }
      let hasRoom = true
      for (let at = 0; at < chunk.length && session.isOpen; at += CHUNK_BYTES)
        hasRoom = session.send(chunk.subarray(at, at + CHUNK_BYTES))
      if (hasRoom || !session.isOpen) done()
      else afterDrain = () => done()
    },
    final(done) {
      session.on('close', () => done())
      if (session.isOpen) void session.close()
      else done()
    },
    destroy(error, done) {
      if (error !== null) session.destroy()
      else void session.close()
      done(error)
    },
  })
  session.on('drain', () => {
    const next = afterDrain
    afterDrain = undefined
    next?.()
  })
  session.on('close', ({ error }) => {
    afterDrain = undefined
    if (error !== undefined && error.code !== 'KCP_CLOSED') duplex.destroy(error)
    else duplex.push(null)
  })
  session.on('message', (bytes) => {
    if (!duplex.push(bytes)) session.pause()
  })
  return duplex
}
