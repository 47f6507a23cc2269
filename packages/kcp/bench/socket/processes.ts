// A bench's helper processes, and how to talk to them.
import { fork, type ChildProcess } from 'node:child_process'
import { setPriority } from 'node:os'
import { join } from 'node:path'

export const heard = <T>(child: ChildProcess): Promise<T> =>
  new Promise((resolve) => {
    child.once('message', (message) => resolve(message as T))
  })

export function ask<T>(child: ChildProcess, question: unknown): Promise<T> {
  const answer = heard<T>(child)
  child.send(question as object)
  return answer
}

export const HELPER_FLAGS = ['--conditions=@rts/source', '--expose-gc']

export const start = (file: string, args: readonly (string | number)[] = []): ChildProcess =>
  fork(join(import.meta.dirname, file), args.map(String), { execArgv: HELPER_FLAGS })

const LOAD_NICE = 10

/** What makes the load lets go before what is measured: players and floods come from machines of their own. */
export const startLoad = (file: string, args: readonly (string | number)[] = []): ChildProcess =>
  asLoad(start(file, args))

/** Has a process that is started let go before others. */
export function asLoad(child: ChildProcess): ChildProcess {
  setPriority(child.pid!, LOAD_NICE)
  return child
}

export const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
