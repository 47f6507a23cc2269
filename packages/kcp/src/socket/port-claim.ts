import { createServer, type Server } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

/** Another holds it for about a millisecond. */
const RETRY_MS = 2
const PATIENCE_MS = 2000

/** Gives it back. */
type Release = () => void

/**
 * For Linux: the right to find out whether a port is free and to take it, which one process of the network namespace
 * has at a time. It is an abstract Unix socket of a name made from the port; the kernel gives it back when its
 * process dies.
 *
 * @throws An error with the code `EADDRINUSE` when somebody else does not give it back.
 */
export async function claimPort(port: number): Promise<Release> {
  for (let waitedMs = 0; ; waitedMs += RETRY_MS) {
    try {
      const server = await listenOn(`\0rts-kcp ${port}`)
      return () => void server.close()
    } catch (error) {
      // Where there are no such sockets, as in some sandboxes, nobody has a claim.
      if ((error as { code?: string }).code !== 'EADDRINUSE') return () => {}
      if (waitedMs >= PATIENCE_MS) throw error
    }
    await pause(RETRY_MS)
  }
}

function listenOn(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', reject)
    // Its own also where the process is a worker of `node:cluster`.
    server.listen({ path, exclusive: true }, () => resolve(server))
  })
}
