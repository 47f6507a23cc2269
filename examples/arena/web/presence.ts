import { Client } from '@rts/client'
import { systemClock } from '@rts/rpc'
import { websocket } from '@rts/rpc/websocket'
import { ArenaPlayer, type PlayerEvents } from '../src/player/arena-player.ts'
import type { Login } from '../src/player/login.ts'
import type { Welcome } from '../src/shared/server-api.ts'

/** Gates may have new addresses after so long without one; the login knows them. */
const RENEW_MS = 8000

export interface PresenceOptions {
  /** Logs in, now and whenever a new ticket is needed. */
  readonly enter: () => Promise<Login>
  readonly events: Partial<PlayerEvents>
  /** The link or the binding to the room changed: what was sent may be lost. */
  readonly onUnsettled: () => void
  /** The player is over for good, or everything starts anew because the gates moved. */
  readonly onClosed: (reason: string, isMoved: boolean) => void
}

/** The player on the server: one login, one client, one `ArenaPlayer`. */
export class Presence {
  readonly client: Client
  readonly player: ArenaPlayer
  readonly #gates: readonly string[]
  readonly #options: PresenceOptions
  #cancelRenewal: () => void = () => {}
  #isMoved = false

  constructor(entry: Login, options: PresenceOptions) {
    this.#options = options
    this.#gates = webGates(entry)
    let ticket: string | undefined = entry.ticket
    this.client = new Client({
      transports: [websocket()],
      gates: this.#gates,
      ticket: async () => {
        const next = ticket ?? (await options.enter()).ticket
        ticket = undefined
        return next
      },
    })
    this.player = new ArenaPlayer(this.client, {
      account: entry.account,
      clock: systemClock,
      events: options.events,
    })
    this.client.on('state', (state) => {
      this.#cancelRenewal()
      options.onUnsettled()
      if (state === 'waiting' || state === 'connecting') this.#renewLater()
    })
    this.client.on('route', ({ name }) => {
      if (name === 'game') options.onUnsettled()
    })
    this.client.on('closed', ({ reason }) => {
      this.#cancelRenewal()
      options.onClosed(reason, this.#isMoved)
    })
  }

  start(): Promise<Welcome> {
    return this.player.start()
  }

  /** Asks the login for gates as long as there is no link; when they are others, this presence ends. */
  #renewLater(): void {
    this.#cancelRenewal = systemClock.setTimer(RENEW_MS, () => {
      this.#renewLater()
      const changed = this.#options.enter().then((entry) => {
        const gates = webGates(entry)
        return gates.some((gate) => !this.#gates.includes(gate))
      })
      changed.then(
        (isChanged) => {
          if (!isChanged || this.client.state === 'open') return
          this.#isMoved = true
          void this.client.close('the gates have moved')
        },
        () => {
          // The login is away too; it is asked again.
        },
      )
    })
  }
}

/** @throws Error when no gate can be reached from a browser. */
function webGates({ gates }: Login): string[] {
  const found = gates.filter((url) => /^wss?:/.test(url))
  if (found.length === 0) throw new Error('no gate takes browsers at the moment; try again')
  return found
}
