/** Calls inside calls run on one another's stack so deep; those after them run later, in order. */
const MAX_DEPTH = 32

/** Keeps calls that stay in the process from growing the stack without end. */
export class CallStack {
  #later: (() => void)[] = []
  /** Handlers that run on one another. */
  depth = 0

  /** What begins now begins in its order. */
  get isFree(): boolean {
    return this.depth < MAX_DEPTH && this.#later.length === 0
  }

  /** Runs a task now, or as soon as the stack is empty, behind those that wait for that. */
  run(task: () => void): void {
    if (this.isFree) {
      task()
      return
    }
    if (this.#later.push(task) === 1) void Promise.resolve().then(() => this.#runLater())
  }

  #runLater(): void {
    // What comes meanwhile goes behind.
    try {
      for (let i = 0; i < this.#later.length; i++) this.#later[i]!()
    } finally {
      this.#later = []
    }
  }
}
