import { eventually, serviceBinary } from '@rts/testing'
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'

export interface Ship {
  readonly seat: number
  readonly x: number
  readonly y: number
  readonly isOwn: boolean
}

/** The part of `window.arena` used here; the page's own types need a browser's. */
export interface Probe {
  readonly phase: string
  readonly seat: number | undefined
  readonly ships: readonly Ship[]
  readonly shots: number
  readonly connection: {
    readonly state: string
    readonly resumes: number
    readonly session: string
  }
}

/** What the page says of itself. */
export const look = (page: Page): Promise<Probe> =>
  page.evaluate(() => {
    // This runs in the page, where `window.arena` is.
    const { phase, seat, ships, shots, connection } = (globalThis as unknown as { arena: Probe })
      .arena
    return { phase, seat, ships, shots, connection }
  })

export const waitFor = (
  page: Page,
  check: (seen: Probe) => boolean,
  message: string,
): Promise<void> => eventually(async () => check(await look(page)), { timeoutMs: 15_000, message })

export const ownShip = ({ ships }: Probe): Ship | undefined => ships.find(({ isOwn }) => isOwn)

export const launchBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: serviceBinary('chromium')!, args: ['--no-sandbox'] })

/** A page of its own, not yet anywhere. Its errors are collected, but for the browser's own word about a lost connection. */
export async function newPage(
  browser: Browser,
  options: BrowserContextOptions,
): Promise<{ page: Page; errors: string[] }> {
  const context = await browser.newContext(options)
  const page = await context.newPage()
  const errors: string[] = []
  page.on('pageerror', (error) => errors.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error' && !isLostConnection(message.text())) errors.push(message.text())
  })
  return { page, errors }
}

const isLostConnection = (text: string): boolean =>
  /WebSocket connection to|ERR_CONNECTION/.test(text)

export function hasMoved(a: Ship | undefined, b: Ship | undefined): boolean {
  return a !== undefined && b !== undefined && Math.hypot(a.x - b.x, a.y - b.y) > 10
}
