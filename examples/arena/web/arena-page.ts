import { systemClock } from '@rts/rpc/client'
import type { Phase, PlayerEvents } from '../src/player/arena-player.ts'
import { ARENA_HEIGHT, ARENA_WIDTH } from '../src/shared/rules.ts'
import type { Welcome } from '../src/shared/server-api.ts'
import { ArenaView } from './arena-view.ts'
import { Attract } from './attract.ts'
import { ChatPanel } from './chat-panel.ts'
import { connectionFacts } from './connection-facts.ts'
import { ConnectionPanel } from './connection-panel.ts'
import { PlayerControls } from './controls.ts'
import { Curtain } from './curtain.ts'
import { element } from './elements.ts'
import { Feed } from './feed.ts'
import { Flight, type Scene, type SceneShip } from './flight.ts'
import { NodesPanel } from './nodes-panel.ts'
import { Presence } from './presence.ts'
import type { Probe, ProbedShip } from './probe.ts'
import { LeaderboardPanel, Scoreboard } from './scoreboard.ts'
import { SignIn } from './sign-in.ts'
import { TouchStick } from './touch-stick.ts'

/** A tab that was hidden comes back with a long frame: the ship does not fly all of that at once. */
const MAX_FRAME_MS = 200
const PANELS_EVERY_MS = 250
const LEADERS_EVERY_MS = 5000
const NOWHERE: Scene = { ships: [], shots: [], own: undefined }

/** The page: a player, what is seen of the match, and what surrounds it. */
export class ArenaPage {
  readonly #signIn = new SignIn(location.origin)
  readonly #view = new ArenaView(element('arena', HTMLCanvasElement))
  readonly #attract = new Attract()
  readonly #flight = new Flight()
  readonly #scoreboard = new Scoreboard()
  readonly #leaders = new LeaderboardPanel()
  readonly #connection = new ConnectionPanel()
  readonly #feed = new Feed()
  readonly #nodes = new NodesPanel(location.origin)
  readonly #chat: ChatPanel
  readonly #curtain: Curtain
  readonly #controls: PlayerControls
  #presence: Presence | undefined
  #welcome: Welcome | undefined
  #scene: Scene = NOWHERE
  #focus = { x: ARENA_WIDTH / 2, y: ARENA_HEIGHT / 2 }
  #lastMs = systemClock.now()
  #panelsAtMs = 0
  #leadersAtMs = 0
  #states: number[] = []

  constructor() {
    const stick = new TouchStick({
      zone: element('stick-zone', HTMLElement),
      base: element('stick', HTMLElement),
      knob: element('stick-knob', HTMLElement),
      fire: element('fire', HTMLElement),
    })
    this.#controls = new PlayerControls(stick)
    this.#chat = new ChatPanel(async (text) => this.#presence?.player.desk.say(text))
    this.#curtain = new Curtain({
      enter: (name) => this.#enter(name),
      play: () => this.#play(),
      rest: () => this.#rest(),
    })
    const canvas = element('arena', HTMLCanvasElement)
    element('leave', HTMLElement).addEventListener('click', () => {
      this.#presence?.player.leave()
      this.#rest()
    })
    document.addEventListener('visibilitychange', () => {
      // What was held is held no more; nobody would tell the server while the page sleeps.
      if (document.hidden && this.#phase === 'playing')
        this.#presence?.player.steer({ turn: 0, thrust: false, fire: false })
    })
    addEventListener('keydown', (event) => {
      const isFree = event.target === document.body || event.target === canvas
      if (event.code !== 'Enter' || !isFree || this.#welcome === undefined) return
      event.preventDefault()
      this.#chat.focus()
    })
  }

  start(): void {
    this.#curtain.showWelcome(this.#signIn.lastName)
    void this.#nodes.start()
    requestAnimationFrame(() => this.#frame())
  }

  /** What a test may read of this moment. */
  probe(): Probe {
    const isFlying = this.#phase === 'playing'
    return {
      phase: this.#phase,
      seat: this.#phase === 'playing' ? this.#flight.seat : undefined,
      ships: isFlying ? this.#scene.ships.map(probed) : [],
      shots: isFlying ? this.#scene.shots.length : 0,
      connection: connectionFacts(this.#presence?.client, this.#statesPerSecond),
    }
  }

  get #phase(): Phase | 'welcome' {
    return this.#welcome === undefined ? 'welcome' : (this.#presence?.player.phase ?? 'welcome')
  }

  get #statesPerSecond(): number {
    const since = systemClock.now() - 1000
    this.#states = this.#states.filter((atMs) => atMs > since)
    return this.#states.length
  }

  async #enter(name: string): Promise<void> {
    const enter = (): ReturnType<SignIn['enter']> => this.#signIn.enter(name)
    const presence = new Presence(await enter(), {
      enter,
      events: this.#events(),
      onUnsettled: () => this.#flight.resync(),
      onClosed: (reason) => this.#closed(presence, reason),
    })
    this.#presence = presence
    presence.client.on('rtt', ({ rttMs }) => this.#connection.measured(rttMs))
    try {
      this.#welcome = await presence.start()
    } catch (error) {
      this.#presence = undefined
      void presence.client.close()
      throw error
    }
    this.#play()
  }

  #closed(presence: Presence, reason: string): void {
    if (this.#presence !== presence) return
    this.#presence = undefined
    this.#flight.clear()
    this.#view.clear()
    if (this.#welcome !== undefined) this.#curtain.showEnded(reason)
    this.#welcome = undefined
  }

  #events(): Partial<PlayerEvents> {
    return {
      state: (state) => {
        const nowMs = systemClock.now()
        this.#states.push(nowMs)
        if (this.#phase === 'playing') this.#flight.observe(state, nowMs)
      },
      roster: (seats) => this.#flight.roster(seats, this.#presence?.player.account ?? ''),
      chat: (line) => this.#chat.hear(line, this.#welcome?.name ?? ''),
      matchOver: (ranking) => {
        this.#curtain.showOver(ranking, this.#welcome?.name ?? '')
        this.#leadersAtMs = 0
      },
      phase: (phase) => this.#entered(phase),
    }
  }

  #entered(phase: Phase): void {
    this.#flight.resync()
    if (phase === 'playing') return
    this.#flight.clear()
    this.#view.clear()
  }

  #play(): void {
    this.#curtain.show(undefined)
    element('arena', HTMLCanvasElement).focus({ preventScroll: true })
    void this.#presence?.player.play()
  }

  #rest(): void {
    const { desk } = this.#presence?.player ?? {}
    if (desk === undefined || this.#welcome === undefined) return
    this.#curtain.showLobby(this.#welcome)
    desk.enter().then(
      (welcome) => {
        this.#welcome = welcome
        if (this.#curtain.open === 'lobby') this.#curtain.showLobby(welcome)
      },
      () => {
        // What was known is on the card already.
      },
    )
  }

  #frame(): void {
    requestAnimationFrame(() => this.#frame())
    const nowMs = systemClock.now()
    const dtMs = Math.min(MAX_FRAME_MS, nowMs - this.#lastMs)
    this.#lastMs = nowMs
    const player = this.#presence?.player
    const isOpen = this.#presence?.client.state === 'open'
    if (player !== undefined && this.#phase === 'playing' && isOpen) {
      const controls = this.#controls.read(this.#scene.own?.angle ?? 0)
      this.#flight.advance(dtMs, nowMs, controls, (step) => player.steer(step))
    }
    const isFlying = this.#phase === 'playing' || this.#phase === 'joining'
    this.#scene = isFlying ? this.#flight.scene(nowMs) : this.#attract.scene(dtMs, nowMs)
    this.#follow(nowMs)
    if (isFlying) this.#tellNews(nowMs)
    this.#view.draw(this.#scene, this.#focus, dtMs, nowMs, this.#flight.muzzleMs)
    if (nowMs >= this.#panelsAtMs) this.#showPanels(nowMs)
  }

  #follow(nowMs: number): void {
    const { own } = this.#scene
    if (own !== undefined) this.#focus = { x: own.x, y: own.y }
    else if (this.#phase !== 'playing')
      this.#focus = { x: (nowMs / 40) % ARENA_WIDTH, y: ARENA_HEIGHT / 2 }
  }

  #tellNews(nowMs: number): void {
    const { happenings, kills } = this.#flight.news(nowMs)
    for (const happening of happenings) this.#view.show(happening, this.#scene.own)
    this.#feed.tell(kills, (seat) => this.#flight.nameOf(seat), this.#flight.seat)
  }

  #showPanels(nowMs: number): void {
    this.#panelsAtMs = nowMs + PANELS_EVERY_MS
    document.body.dataset['phase'] = this.#phase
    const client = this.#presence?.client
    const isLost = this.#welcome !== undefined && client !== undefined && client.state !== 'open'
    if (isLost && this.#curtain.open === undefined) this.#curtain.show('lost')
    else if (!isLost && this.#curtain.open === 'lost') this.#curtain.show(undefined)
    this.#connection.show(connectionFacts(client, this.#statesPerSecond))
    this.#scoreboard.show(
      this.#welcome === undefined ? [] : this.#flight.standing,
      this.#flight.secondsLeft,
    )
    this.#feed.notice(this.#notice())
    if (client?.state !== 'open' || this.#welcome === undefined || nowMs < this.#leadersAtMs) return
    this.#leadersAtMs = nowMs + LEADERS_EVERY_MS
    this.#presence?.player.desk.leaderboard().then(
      (rows) => this.#leaders.show(rows, this.#welcome?.name ?? ''),
      () => {
        // Asked again soon.
      },
    )
  }

  #notice(): string {
    if (this.#curtain.open !== undefined) return ''
    if (this.#phase === 'joining') return 'Looking for a seat…'
    if (this.#scene.own?.hp === 0) return 'Destroyed. Back in a moment…'
    return ''
  }
}

function probed({ seat, name, x, y, angle, hp, score, isOwn }: SceneShip): ProbedShip {
  return { seat, name, x, y, angle, hp, score, isOwn }
}
