import type { ClientState } from '@rts/client'
import type { ConnectionFacts } from './connection-facts.ts'
import { element, setText } from './elements.ts'

const SAMPLES = 48
const CHART_WIDTH = 200
const CHART_HEIGHT = 36
/** Below the frame of the chart. */
const BOTTOM = CHART_HEIGHT + 4
const LEAST_SCALE_MS = 40

const WORDS: Readonly<Record<ClientState, string>> = {
  idle: 'not connected',
  connecting: 'connecting',
  open: 'connected',
  waiting: 'coming back',
  closed: 'closed',
}

/** How the player is connected: the chip in the bar and the panel with round trips of the last while. */
export class ConnectionPanel {
  readonly #chip = element('chip', HTMLElement)
  readonly #chipText = element('chip-text', HTMLElement)
  readonly #line = element('rtt-line', SVGPolylineElement)
  readonly #area = element('rtt-area', SVGPolygonElement)
  readonly #fields = new Map(
    (['state', 'transport', 'rtt', 'resumes', 'gate', 'session', 'rate'] as const).map((name) => [
      name,
      element(`connection-${name}`, HTMLElement),
    ]),
  )
  #rtts: number[] = []

  measured(rttMs: number): void {
    this.#rtts.push(rttMs)
    if (this.#rtts.length > SAMPLES) this.#rtts.shift()
    const top = Math.max(LEAST_SCALE_MS, ...this.#rtts) * 1.15
    const points = this.#rtts.map((rtt, index) => {
      const x = CHART_WIDTH - ((this.#rtts.length - 1 - index) * CHART_WIDTH) / (SAMPLES - 1)
      return `${x.toFixed(1)},${(CHART_HEIGHT * (1 - rtt / top)).toFixed(1)}`
    })
    const line = points.join(' ')
    const left = CHART_WIDTH - ((points.length - 1) * CHART_WIDTH) / (SAMPLES - 1)
    this.#line.setAttribute('points', line)
    this.#area.setAttribute('points', `${left},${BOTTOM} ${line} ${CHART_WIDTH},${BOTTOM}`)
  }

  show(facts: ConnectionFacts): void {
    const { state, transport, rttMs, resumes, gate, session, statesPerSecond } = facts
    this.#chip.dataset['state'] = state
    const rtt =
      rttMs === undefined ? '–' : `${rttMs < 10 ? rttMs.toFixed(1) : Math.round(rttMs)} ms`
    setText(this.#chipText, state === 'open' ? rtt : WORDS[state])
    const texts = {
      state: WORDS[state],
      transport,
      rtt,
      resumes: String(resumes),
      gate,
      session,
      rate: `${statesPerSecond} / s`,
    }
    for (const [name, field] of this.#fields) setText(field, texts[name])
  }
}
