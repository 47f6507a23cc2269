import { ServiceBroker } from 'moleculer'
import type { Contender } from './contender.ts'
import { freePort } from './port.ts'

interface Ports {
  readonly server: number
  readonly client: number
}

function broker(nodeID: keyof Ports, ports: Ports): ServiceBroker {
  return new ServiceBroker({
    nodeID,
    logger: false,
    transporter: {
      type: 'TCP',
      options: {
        udpDiscovery: false,
        useHostname: false,
        urls: `tcp://127.0.0.1:${ports.server}/server,tcp://127.0.0.1:${ports.client}/client`,
      },
    },
  })
}

/** Its TCP transporter as it comes: JSON, no deadline. */
export const moleculer: Contender = {
  async serve() {
    const ports = { server: await freePort(), client: await freePort() }
    const server = broker('server', ports)
    server.createService({
      name: 'echo',
      actions: { echo: ({ params }: { params: { text: string } }) => params.text },
    })
    await server.start()
    return JSON.stringify(ports)
  },
  async connect(address) {
    const client = broker('client', JSON.parse(address) as Ports)
    await client.start()
    await client.waitForServices('echo', 20_000)
    return { echo: (text) => client.call<string, { text: string }>('echo.echo', { text }) }
  },
}
