/** Listeners by event name. One that throws disturbs neither the others nor the client. */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(payload: never) => void>>()
  readonly #onError: (error: unknown) => void

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError
  }

  on<Name extends keyof Events>(name: Name, listener: (payload: Events[Name]) => void): () => void {
    // A wrapper of its own, so that the same function may listen twice and each undo is exact.
    const entry = (payload: Events[Name]): void => listener(payload)
    let set = this.#listeners.get(name)
    if (set === undefined) this.#listeners.set(name, (set = new Set()))
    set.add(entry)
    return () => void set.delete(entry)
  }

  emit<Name extends keyof Events>(name: Name, payload: Events[Name]): void {
    for (const listener of this.#listeners.get(name) ?? []) {
      try {
        listener(payload as never)
      } catch (error) {
        this.#onError(error)
      }
    }
  }
}
