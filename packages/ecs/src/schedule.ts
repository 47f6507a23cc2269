/** Something that runs in every step. */
export interface Task {
  readonly name: string
  readonly order: number
  /** Breaks ties of `order`: systems before the ticks of classes. */
  readonly rank: 0 | 1
  run(dtMs: number): void
}

/** Tasks by order, then rank, then age. May change while it runs. */
export class Schedule {
  readonly #tasks: Task[] = []
  #next = 0

  /** Adds a task. In a running step it takes part when its turn is still to come. */
  add(task: Task): () => void {
    const isAfter = (other: Task): boolean =>
      other.order > task.order || (other.order === task.order && other.rank > task.rank)
    const found = this.#tasks.findIndex(isAfter)
    const at = found === -1 ? this.#tasks.length : found
    this.#tasks.splice(at, 0, task)
    if (at < this.#next) this.#next += 1
    return () => this.#remove(task)
  }

  run(each: (task: Task) => void): void {
    for (this.#next = 0; this.#next < this.#tasks.length;) {
      const task = this.#tasks[this.#next]!
      this.#next += 1
      each(task)
    }
    this.#next = 0
  }

  #remove(task: Task): void {
    const at = this.#tasks.indexOf(task)
    if (at === -1) return
    this.#tasks.splice(at, 1)
    if (at < this.#next) this.#next -= 1
  }
}
