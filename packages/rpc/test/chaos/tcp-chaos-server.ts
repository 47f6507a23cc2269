// A server process for chaos: `node tcp-chaos-server.ts PORT`. Says its address on stdout.
import { RpcNode, systemClock, type RpcTable } from '../../src/index.ts'
import { tcp } from '../../src/tcp.ts'

export class ChaosWork {
  static readonly rpc = {
    echo: 'server',
    later: 'server',
    sum: 'server',
  } as const satisfies RpcTable<ChaosWork>
  echo(token: number): number {
    return token * 3 + 1
  }
  async later(token: number, ms: number): Promise<number> {
    await new Promise<void>((resolve) => void systemClock.setTimer(ms, resolve))
    return token * 3 + 1
  }
  async sum(token: number, numbers: AsyncIterable<number>): Promise<number> {
    let sum = 0
    for await (const number of numbers) sum += number
    return sum === 6 ? token * 3 + 1 : Number.NaN
  }
}

export class ChaosHero {
  static readonly rpc = { act: 'server' } as const satisfies RpcTable<ChaosHero>
  async act(token: number): Promise<number> {
    await Promise.resolve()
    return token * 3 + 1
  }
}

if (import.meta.main) {
  const node = new RpcNode({
    id: `server-${process.pid}`,
    transports: [tcp()],
    trustLoopback: true,
  })
  node.expose('work', new ChaosWork())
  for (let i = 0; i < 8; i++) node.serve(`hero/${i}`, new ChaosHero())
  const { url } = await node.listen(`tcp://127.0.0.1:${process.argv[2] ?? 0}`)
  process.stdout.write(`${url}\n`)
  // It goes with whoever started it.
  process.stdin.on('end', () => process.exit())
  process.stdin.resume()
}
