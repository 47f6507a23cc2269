import { fork, type ChildProcess } from 'node:child_process'
import type { FleetCommands } from './fleet-process.ts'

/** A process of the fleet, seen from the bench. */
export class FleetProcess {
  readonly #child: ChildProcess
  readonly #calls = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  #count = 0

  constructor() {
    this.#child = fork(new URL('fleet-process.ts', import.meta.url), {
      execArgv: ['--conditions=@rts/source'],
    })
    this.#child.on('message', (answer: { id: number; result?: unknown; error?: string }) => {
      const call = this.#calls.get(answer.id)
      this.#calls.delete(answer.id)
      if (answer.error === undefined) call?.resolve(answer.result)
      else call?.reject(new Error(answer.error))
    })
  }

  async call<C extends keyof FleetCommands>(
    command: C,
    ...args: Parameters<FleetCommands[C]>
  ): Promise<Awaited<ReturnType<FleetCommands[C]>>> {
    const id = ++this.#count
    this.#child.send({ id, command, args })
    const answer = await new Promise((resolve, reject) => this.#calls.set(id, { resolve, reject }))
    return answer as Awaited<ReturnType<FleetCommands[C]>>
  }

  end(): void {
    this.#child.disconnect()
  }
}
