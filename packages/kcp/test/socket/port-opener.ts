// A process that opens the ports it is told to as fast as it can, and closes them when it is told of another.
import { type DatagramSocket, openUdpSocket } from '../../src/index.ts'

let socket: DatagramSocket | undefined

async function open(host: string, port: number): Promise<boolean> {
  await socket?.close()
  socket = undefined
  try {
    socket = await openUdpSocket({ bind: { host, port }, reusePort: false, bufferBytes: 65_536 })
    return true
  } catch {
    return false
  }
}

process.on('message', ({ host, port }: { readonly host: string; readonly port: number }) => {
  void open(host, port).then((isOpen) => process.send!(isOpen))
})
