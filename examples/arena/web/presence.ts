import { Client } from '@rts/client'
import { systemClock } from '@rts/rpc/client'
import { websocket } from '@rts/rpc/websocket'
import { ArenaPlayer, type PlayerEvents } from '../src/player/arena-player.ts'
import { logins, type Login } from '../src/player/login.ts'
import type { Welcome } from '../src/shared/server-api.ts'

export interface PresenceOptions {
  /** Logs in, now and whenever a new ticket is needed. */
  readonly enter: () => Promise<Login>
  readonly events: Partial<PlayerEvents>
  /** The link or the binding to the room changed: what was sent may be lost. */
  readonly onUnsettled: () => void
  /** The player is over for good. */
  readonly onClosed: (reason: string) => void
}

/** The player on the server: one login, one client, one `ArenaPlayer`. */
export class Presence {
  readonly client: Client
  readonly player: ArenaPlayer

  constructor(entry: Login, options: PresenceOptions) {
    this.client = new Client({ transports: [websocket()], ...logins(entry, options.enter) })
    this.player = new ArenaPlayer(this.client, {
      account: entry.account,
      clock: systemClock,
      events: options.events,
    })
    this.client.on('state', () => options.onUnsettled())
    this.client.on('route', ({ name }) => {
      if (name === 'game') options.onUnsettled()
    })
    this.client.on('closed', ({ reason }) => options.onClosed(reason))
  }

  start(): Promise<Welcome> {
    return this.player.start()
  }
}
