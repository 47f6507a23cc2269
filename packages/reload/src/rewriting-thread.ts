import { Worker } from 'node:worker_threads'
import type { Clock } from './clock.ts'
import { ReloadError, type Place, type ReloadErrorCode } from './errors.ts'
import type { ModuleCode } from './module-code.ts'

export interface RewriteRequest {
  readonly id: number
  readonly file: string
  readonly text: string
}

export interface RewriteAnswer {
  readonly id: number
  readonly code?: ModuleCode
  readonly failure?: {
    readonly code: ReloadErrorCode
    readonly message: string
    readonly place: Place | undefined
  }
}

interface Waiting {
  readonly resolve: (code: ModuleCode) => void
  readonly reject: (error: unknown) => void
}

/** Source and build differ in the name of the thread's file. */
const WORKER = new URL(
  import.meta.url.endsWith('.ts') ? './transform-worker.ts' : './transform-worker.js',
  import.meta.url,
)
/** A thread that has had nothing to do for so long ends, and gives its memory back. */
const IDLE_MS = 10_000

/** A thread that rewrites modules: started with the first, ended when there is no more to do. */
export class RewritingThread {
  readonly #clock: Clock
  readonly #waiting = new Map<number, Waiting>()
  #worker: Worker | undefined
  #serial = 0
  #cancelIdle = (): void => {}

  constructor(clock: Clock) {
    this.#clock = clock
  }

  rewrite(file: string, text: string): Promise<ModuleCode> {
    this.#cancelIdle()
    const worker = (this.#worker ??= this.#start())
    worker.ref()
    this.#serial += 1
    const request: RewriteRequest = { id: this.#serial, file, text }
    worker.postMessage(request, [])
    return new Promise((resolve, reject) => this.#waiting.set(request.id, { resolve, reject }))
  }

  close(): void {
    this.#cancelIdle()
    const worker = this.#worker
    this.#worker = undefined
    void worker?.terminate()
    this.#fail(new ReloadError('RELOAD_CLOSED', 'the reloader was closed'))
  }

  #start(): Worker {
    // None of the process's own flags: `--import @rts/reload/register` is not for this thread.
    const worker = new Worker(WORKER, { execArgv: [], env: {} })
    worker.on('message', (answer: RewriteAnswer) => this.#answered(answer))
    worker.on('error', (error) => {
      if (this.#worker === worker) this.#worker = undefined
      this.#fail(error)
    })
    return worker
  }

  #answered({ id, code, failure }: RewriteAnswer): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (code !== undefined) waiting?.resolve(code)
    else if (failure !== undefined) waiting?.reject(rebuilt(failure))
    if (this.#waiting.size > 0) return
    this.#worker?.unref()
    this.#cancelIdle = this.#clock.setTimer(IDLE_MS, () => {
      void this.#worker?.terminate()
      this.#worker = undefined
    })
  }

  #fail(error: unknown): void {
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }
}

/** The error as it was thrown there, whose message has the place in it already. */
function rebuilt({ code, message, place }: NonNullable<RewriteAnswer['failure']>): ReloadError {
  return Object.assign(new ReloadError(code, message), { place })
}
