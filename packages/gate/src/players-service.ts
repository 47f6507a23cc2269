/** What a gate tells a backend about a player, beside the virtual link itself. */
export interface PlayerListener {
  flow(session: string, route: string, epoch: number, isPaused: boolean): void
  presence(session: string, route: string, epoch: number, isOnline: boolean): void
}

export class PlayersService {
  static readonly rpc: { readonly flow: 'server'; readonly presence: 'server' } = {
    flow: 'server',
    presence: 'server',
  }
  readonly #listener: PlayerListener

  constructor(listener: PlayerListener) {
    this.#listener = listener
  }

  /** The player reads slowly: hold what can wait, until told otherwise. */
  flow(session: string, route: string, epoch: number, isPaused: boolean): void {
    this.#listener.flow(session, route, epoch, isPaused)
  }

  /** The player's link came or went; the session lives on. */
  presence(session: string, route: string, epoch: number, isOnline: boolean): void {
    this.#listener.presence(session, route, epoch, isOnline)
  }
}
