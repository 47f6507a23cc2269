type Listener = (...args: never[]) => void

/** Typed listeners. One that throws does not keep the others from hearing; its error goes to `onError`. */
export class Emitter<Events extends { [E in keyof Events]: Listener }> {
  readonly #listeners = new Map<keyof Events, Set<Listener>>()
  readonly #onError: (event: string, error: unknown) => void

  constructor(onError: (event: string, error: unknown) => void) {
    this.#onError = onError
  }

  on<E extends keyof Events>(event: E, listener: Events[E]): () => void {
    let listeners = this.#listeners.get(event)
    if (!listeners) this.#listeners.set(event, (listeners = new Set()))
    // A wrapper of its own, so that one function added twice is two listeners with two undos.
    const entry: Listener = (...args) => listener(...args)
    listeners.add(entry)
    return () => void listeners.delete(entry)
  }

  emit<E extends keyof Events>(event: E, ...args: Parameters<Events[E]>): void {
    for (const listener of [...(this.#listeners.get(event) ?? [])]) {
      try {
        listener(...args)
      } catch (error) {
        this.#onError(String(event), error)
      }
    }
  }
}
