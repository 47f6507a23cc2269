import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import { setImmediate } from 'node:timers'
import {
  notify,
  RpcNode,
  settle,
  systemClock,
  type Remote,
  type RpcTable,
  type Transport,
} from '@rts/rpc'
import { tcp } from '@rts/rpc/tcp'
import { ws } from '@rts/rpc/ws'
import { bytesInUse } from '../../../../bench.base.ts'
import { TEXT, type Contender, type EchoClient } from './contender.ts'
import { quantile, type Load } from './load.ts'

/** Notifications one worker sends before it waits until all of them were handled. */
const NOTIFIES = 256
/** What may wait on a link before calls and notifications are refused. */
const WINDOW_BYTES: number = 512 * 1024

class Voice {
  static readonly rpc = {
    echo: 'server',
    hear: 'server',
    heard: 'server',
    longTurnMs: 'server',
  } as const satisfies RpcTable<Voice>
  #heard = 0
  #heardBefore = 0
  #turns: number[] | undefined

  echo(text: string): string {
    return text
  }

  hear(text: string): void {
    this.#heard += text.length / TEXT.length
  }

  heard(): number {
    return this.#heard
  }

  /** What a turn of the event loop in which something was heard took since this was last asked, but for 1 % of them. */
  longTurnMs(): number {
    if (this.#turns === undefined) {
      this.#turns = []
      this.#watch(systemClock.now())
      return 0
    }
    const sorted = this.#turns.sort((a, b) => a - b)
    this.#turns = []
    return quantile(sorted, 0.99)
  }

  // An immediate that is always due: the loop never sleeps, so a turn is as long as its work.
  #watch(since: number): void {
    setImmediate(() => {
      const now = systemClock.now()
      if (this.#heard > this.#heardBefore) this.#turns!.push(now - since)
      this.#heardBefore = this.#heard
      this.#watch(now)
    })
  }
}

class Hero {
  static readonly components = { voice: Voice }
  readonly voice = new Voice()
}

const node = (id: string, transport: Transport): RpcNode =>
  new RpcNode({ id, transports: [transport], trustLoopback: true, pingTimeoutMs: 30_000 })

async function serve(transport: Transport): Promise<string> {
  const server = node('server', transport)
  server.expose('voice', new Voice())
  server.serve('hero', new Hero())
  const { url } = await server.listen(`${transport.scheme}://127.0.0.1:0`)
  return url
}

/** `service(...)` by address: a promise and a deadline each. */
export const rtsService: Contender = {
  serve: () => serve(tcp()),
  async connect(address) {
    const voice = node('client', tcp()).at<typeof Voice>(address, 'voice')
    return { echo: (text) => voice.echo(text) }
  },
}

/** `entity.component.method(...)` by address. */
export const rtsEntity: Contender = {
  serve: () => serve(tcp()),
  async connect(address) {
    const hero = node('client', tcp()).entityAt<typeof Hero>(address, 'hero')
    return { echo: (text) => hero.voice.echo(text) }
  },
}

/** As the one before, over WebSocket. */
export const rtsWs: Contender = {
  serve: () => serve(ws()),
  async connect(address) {
    const hero = node('client', ws()).entityAt<typeof Hero>(address, 'hero')
    return { echo: (text) => hero.voice.echo(text) }
  },
}

class Notifier implements EchoClient {
  readonly #hero: Remote<typeof Hero, 'server'>
  #sent = 0

  constructor(hero: Remote<typeof Hero, 'server'>) {
    this.#hero = hero
  }

  echo(text: string): Promise<string> {
    return this.#hero.voice.echo(text)
  }

  async work(load: Load): Promise<void> {
    const { voice } = this.#hero
    const told = notify(voice)
    while (!load.isOver) {
      for (let i = 0; i < NOTIFIES; i++) if (told.hear(TEXT)) this.#sent += 1
      const sent = this.#sent
      // What was sent before is handled before: the link keeps the order.
      if ((await voice.heard()) < sent) throw new Error('notifications were lost')
      load.done(NOTIFIES)
    }
  }

  /** `longTurnMs` of the server; `backlog`: memory held for a reader that has stopped, in windows. */
  async probe(name: string): Promise<number> {
    if (name === 'longTurnMs') return this.#hero.voice.longTurnMs()
    if (name === 'backlog') return this.#backlog()
    // The reader goes on: until it has caught up, calls are refused.
    for (let tries = 0; ; tries += 1) {
      const [error, heard] = await settle(this.#hero.voice.heard())
      if (error === undefined) return heard
      if (tries === 1000) throw error
      await sleep(5)
    }
  }

  async #backlog(): Promise<number> {
    const told = notify(this.#hero.voice)
    const before = bytesInUse()
    let refused = 0
    for (let turns = 0; turns < 400; turns += 1) {
      for (let i = 0; i < 1000; i++) if (!told.hear(TEXT)) refused += 1
      await turn()
    }
    if (refused === 0) throw new Error('nothing was refused')
    return (bytesInUse() - before) / WINDOW_BYTES
  }
}

/** One way, to a component of an entity. */
export const rtsNotify: Contender = {
  serve: () => serve(tcp()),
  async connect(address) {
    return new Notifier(node('client', tcp()).entityAt<typeof Hero>(address, 'hero'))
  },
}
