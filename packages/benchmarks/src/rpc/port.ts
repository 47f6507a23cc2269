import { createServer, type Server } from 'node:net'

/** Listens on a free port of the loopback interface. */
export async function portOf(server: Server): Promise<number> {
  const port = await new Promise<number>((resolve, reject) => {
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })
  return port
}

/** For libraries that want to be told a number. */
export async function freePort(): Promise<number> {
  const server = createServer()
  const port = await portOf(server)
  await new Promise((resolve) => server.close(resolve))
  return port
}
