// Runs one half of one contender, told by messages of the parent; ends with it.
import { TEXT, type EchoClient } from './contender.ts'
import { load, type ContenderName } from './contenders.ts'
import { latency, throughput } from './load.ts'
import type { Answer, Order } from './processes.ts'

let client: EchoClient | undefined

async function obey(order: Order, name: ContenderName): Promise<unknown> {
  const contender = await load(name)
  switch (order.do) {
    case 'serve':
      return contender.serve()
    case 'connect': {
      client = await contender.connect(order.address)
      const answer = await client.echo(TEXT)
      if (answer !== TEXT) throw new Error(`${name} does not echo: ${JSON.stringify(answer)}`)
      return undefined
    }
    case 'throughput':
      return throughput(client!, order.workers, order.forMs)
    case 'latency':
      return latency(client!, order.forMs)
    case 'probe':
      return client!.probe!(order.name)
  }
}

const answer = (message: Answer): void => void process.send?.(message)

process.on('disconnect', () => process.exit())
process.on('message', (order: Order) => {
  obey(order, process.argv[2] as ContenderName).then(
    (value) => answer({ value }),
    (error: unknown) => answer({ error: error instanceof Error ? error.stack : String(error) }),
  )
})
