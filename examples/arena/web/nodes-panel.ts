import { systemClock } from '@rts/rpc/client'
import { element, make, setText } from './elements.ts'

const POLL_MS = 2000
/** A server that has no such list is hardly going to get one. */
const MISSING_POLL_MS = 60_000

interface NodeRow {
  readonly id: string
  readonly role: string
  readonly state: string
  readonly detail: string
  /** The version of the game's code that it runs. */
  readonly code?: number
}

/** The live nodes of the cluster and what each says of its work. */
export class NodesPanel {
  readonly #server: string
  readonly #list = element('nodes', HTMLUListElement)
  readonly #count = element('nodes-count', HTMLElement)
  readonly #known = new Map<string, NodeRow>()
  #shown = ''

  constructor(server: string) {
    this.#server = server
  }

  async start(): Promise<void> {
    for (;;) {
      const waitMs = document.hidden ? POLL_MS : await this.#poll()
      await new Promise<void>((resolve) => void systemClock.setTimer(waitMs, resolve))
    }
  }

  async #poll(): Promise<number> {
    try {
      const response = await fetch(new URL('/nodes', this.#server), { cache: 'no-store' })
      if (response.status === 404) {
        this.#say('this server does not tell')
        return MISSING_POLL_MS
      }
      const { nodes } = (await response.json()) as { nodes: readonly NodeRow[] }
      this.#show(nodes)
    } catch {
      this.#say('no answer')
    }
    return POLL_MS
  }

  /** A node that was here and is not any more stays in the list as gone, until it comes back. */
  #show(nodes: readonly NodeRow[]): void {
    for (const [id, node] of this.#known)
      this.#known.set(id, { ...node, state: 'gone', detail: 'not in the registry' })
    for (const node of nodes) this.#known.set(node.id, node)
    const rows = [...this.#known.values()].sort((a, b) => a.id.localeCompare(b.id))
    const key = JSON.stringify(rows)
    if (key === this.#shown) return
    this.#shown = key
    setText(this.#count, summary(nodes))
    this.#list.replaceChildren(...rows.map(row))
  }

  #say(text: string): void {
    if (this.#shown === text) return
    this.#shown = text
    setText(this.#count, '')
    this.#list.replaceChildren(make('li', 'note', text))
  }
}

/** `5, code 2`; while a reload spreads, `5, code 1 and 2`. */
function summary(nodes: readonly NodeRow[]): string {
  const codes = [...new Set(nodes.flatMap(({ code }) => (code === undefined ? [] : [code])))]
  if (codes.length === 0) return String(nodes.length)
  return `${nodes.length}, code ${codes.sort((a, b) => a - b).join(' and ')}`
}

function row({ id, role, state, detail, code }: NodeRow): HTMLElement {
  const item = make(
    'li',
    '',
    make('i', 'dot'),
    make('b', 'name', id),
    make('span', 'state', state === 'ready' ? role : state),
    make('span', 'detail', code === undefined ? detail : `${detail}, code ${code}`),
  )
  item.dataset['state'] = state
  return item
}
