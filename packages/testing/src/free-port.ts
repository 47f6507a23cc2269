import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import { TestingError } from './errors.ts'

/** Below the range systems take the source ports of outgoing connections from (32768 on Linux). */
const FIRST_PORT = 20_000
const PORT_COUNT = 12_000
const MAX_TRIES = 200

const handedOut = new Set<number>()

/**
 * Finds a port that nothing listens on, neither TCP nor UDP, on 127.0.0.1. It is not handed out
 * again in this process. Prefer listening on port 0 where the listener can tell its port.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const port = FIRST_PORT + randomInt(PORT_COUNT)
    if (handedOut.has(port)) continue
    handedOut.add(port)
    if ((await isFreeTcp(port)) && (await isFreeUdp(port))) return port
  }
  throw new TestingError('TESTING_NO_FREE_PORT', `no free port found in ${MAX_TRIES} tries`)
}

function isFreeTcp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      server.close(() => resolve(true))
    })
  })
}

function isFreeUdp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4')
    socket.once('error', () => {
      socket.close()
      resolve(false)
    })
    socket.bind({ port, address: '127.0.0.1', exclusive: true }, () => {
      socket.close(() => resolve(true))
    })
  })
}
