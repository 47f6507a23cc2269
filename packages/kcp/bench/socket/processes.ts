// A bench's helper processes, and how to talk to them.
import { fork, type ChildProcess } from 'node:child_process'
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

export const start = (file: string, args: readonly (string | number)[] = []): ChildProcess =>
  fork(join(import.meta.dirname, file), args.map(String), {
    execArgv: ['--conditions=@rts/source', '--expose-gc'],
  })

export const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
