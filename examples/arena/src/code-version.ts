import type { Reloader } from '@rts/reload'

/** The version of the game's code in one process: one more with each reload, one less with each that is undone. */
export class CodeVersion {
  #version: number

  /** @param first - What the process began with: one that is started again begins with what the others run. */
  constructor(reloader: Reloader, first = 1) {
    this.#version = first
    reloader.afterReload(({ ok, kind, files }) => {
      if (ok && files.length > 0) this.#version += kind === 'rollback' ? -1 : 1
    })
  }

  get current(): number {
    return this.#version
  }
}
