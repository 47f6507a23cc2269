import { Timed } from './deadline-wheel.ts'
import type { Asked, Probe } from './deadlock-watch.ts'
import type { CallFrame } from './incoming-call.ts'
import type { Route } from './wire.ts'

/** Who ends calls that do not end by an answer. */
interface PendingCalls {
  expire(call: PendingCall): void
  abort(call: TiedCall): void
  probe(call: TiedCall, probe: Probe): void
}

/** A call that waits for its answer. There may be a million of them: it holds nothing that most do not need. */
export class PendingCall extends Timed {
  readonly id: number
  readonly calls: PendingCalls
  readonly route: Route
  /** Also with a rejected promise: so there is no second function to keep. */
  readonly resolve: (value: unknown) => void

  constructor(id: number, calls: PendingCalls, route: Route, resolve: (value: unknown) => void) {
    super()
    this.id = id
    this.calls = calls
    this.route = route
    this.resolve = resolve
  }

  get signal(): AbortSignal | undefined {
    return undefined
  }

  reject(error: unknown): void {
    this.resolve(rejected(error))
  }

  override expire(): void {
    this.calls.expire(this)
  }

  /** It is over. */
  untie(): void {}
}

/** One that hangs on more than its link. */
export class TiedCall extends PendingCall implements Asked {
  readonly #signal: AbortSignal | undefined
  readonly #from: CallFrame | undefined

  /** @param from - The handler that waits for it, when others may wait for that. */
  constructor(
    id: number,
    calls: PendingCalls,
    route: Route,
    resolve: (value: unknown) => void,
    signal: AbortSignal | undefined,
    from: CallFrame | undefined,
  ) {
    super(id, calls, route, resolve)
    this.#signal = signal
    this.#from = from
    signal?.addEventListener('abort', this)
    from?.asked.add(this)
  }

  override get signal(): AbortSignal | undefined {
    return this.#signal
  }

  probe(probe: Probe): void {
    this.calls.probe(this, probe)
  }

  /** The signal fired. */
  handleEvent(): void {
    this.calls.abort(this)
  }

  override untie(): void {
    this.#from?.asked.delete(this)
    this.#signal?.removeEventListener('abort', this)
  }
}

async function rejected(error: unknown): Promise<never> {
  throw error
}
