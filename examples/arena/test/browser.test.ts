import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { eventually, serviceBinary, TcpFaultProxy } from '@rts/testing'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { playWithBots } from '../bots/run.ts'
import type { Arena } from '../src/arena.ts'
import { hasMoved, launchBrowser, look, newPage, ownShip, waitFor } from './page.ts'
import { gateUrl, runArena } from './running-arena.ts'

const ARTIFACTS = join(import.meta.dirname, '..', '.artifacts')
const LAPTOP = { viewport: { width: 1440, height: 900 } }
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }
const BOTS = 4

describe.skipIf(serviceBinary('chromium') === undefined)('the page in Chromium', () => {
  const cleanUp = new AsyncDisposableStack()
  const bots = new AbortController()
  let browser: Browser
  let arena: Arena
  let proxy: TcpFaultProxy

  beforeAll(async () => {
    await mkdir(ARTIFACTS, { recursive: true })
    const running = cleanUp.use(await runArena())
    arena = running.arena
    const { hostname, port } = new URL(gateUrl(arena, 'ws'))
    proxy = cleanUp.use(
      await TcpFaultProxy.listen({ target: { host: hostname, port: Number(port) } }),
    )
    browser = await launchBrowser()
    cleanUp.defer(() => browser.close())
    const playing = playWithBots({ server: arena.loginUrl, count: BOTS, signal: bots.signal })
    cleanUp.defer(async () => {
      bots.abort()
      await playing
    })
  }, 60_000)
  afterAll(() => cleanUp.disposeAsync())

  /** Opens the page; its WebSocket goes through the fault proxy. */
  async function open(options: BrowserContextOptions): Promise<{ page: Page; errors: string[] }> {
    const { page, errors } = await newPage(browser, options)
    await page.route('**/guest', async (route) => {
      const response = await route.fetch()
      await route.fulfill({
        response,
        json: { ...(await response.json()), gates: [proxy.url('ws')] },
      })
    })
    await page.goto(arena.loginUrl)
    return { page, errors }
  }

  test('a guest logs in, flies, fires, sees a bot fly, loses the WebSocket and goes on in the same session', async () => {
    const { page, errors } = await open(LAPTOP)
    await page.getByRole('button', { name: 'Play as a guest' }).click()
    await waitFor(
      page,
      ({ phase, seat }) => phase === 'playing' && seat !== undefined,
      'not playing',
    )
    await waitFor(page, (seen) => ownShip(seen) !== undefined && seen.ships.length > 1, 'no ships')
    const before = await look(page)

    await page.keyboard.down('ArrowUp')
    await page.keyboard.down('ArrowLeft')
    await waitFor(
      page,
      (seen) => hasMoved(ownShip(before), ownShip(seen)),
      'the own ship stands still',
    )
    const others = before.ships.filter(({ isOwn }) => !isOwn)
    await waitFor(
      page,
      ({ ships }) =>
        others.some((ship) =>
          hasMoved(
            ship,
            ships.find(({ seat }) => seat === ship.seat),
          ),
        ),
      'no bot moves',
    )
    await page.keyboard.down('Space')
    await waitFor(page, ({ shots }) => shots > 0, 'no shot')
    await page.screenshot({ path: join(ARTIFACTS, 'laptop.png') })

    const { session } = (await look(page)).connection
    proxy.cut()
    await waitFor(
      page,
      ({ connection }) => connection.resumes > 0 && connection.state === 'open',
      'not resumed',
    )
    await waitFor(page, (seen) => ownShip(seen) !== undefined, 'no ship after the cut')
    const after = await look(page)
    await waitFor(
      page,
      (seen) => hasMoved(ownShip(after), ownShip(seen)),
      'the ship stands still after the cut',
    )
    expect((await look(page)).connection.session).toBe(session)
    expect((await look(page)).phase).toBe('playing')
    expect(errors).toEqual([])
    await page.context().close()
  })

  test('a phone plays with touch', async () => {
    const { page, errors } = await open(PHONE)
    await page.getByRole('button', { name: 'Play as a guest' }).tap()
    await waitFor(page, ({ phase }) => phase === 'playing', 'not playing')
    await waitFor(page, (seen) => ownShip(seen) !== undefined, 'no ship')
    const before = await look(page)
    const touch = await page.context().newCDPSession(page)
    const stick = { x: 90, y: 700, id: 0 }
    const fire = await middleOf(page, '#fire')
    // The card of the login fades away above the stick.
    await eventually(async () => (await idAt(page, stick.x, stick.y)) === 'stick-zone', {
      timeoutMs: 15_000,
      message: 'the stick is covered',
    })
    await touch.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints: [stick] })
    await touch.send('Input.dispatchTouchEvent', {
      type: 'touchMove',
      touchPoints: [{ ...stick, x: 140 }],
    })
    await waitFor(
      page,
      (seen) => hasMoved(ownShip(before), ownShip(seen)),
      'the stick does nothing',
    )
    await touch.send('Input.dispatchTouchEvent', {
      type: 'touchStart',
      touchPoints: [
        { ...stick, x: 140 },
        { ...fire, id: 1 },
      ],
    })
    await waitFor(page, ({ shots }) => shots > 0, 'the fire button does nothing')
    await page.screenshot({ path: join(ARTIFACTS, 'phone.png') })
    await touch.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] })
    expect(errors).toEqual([])
    await page.context().close()
  })
})

const idAt = (page: Page, x: number, y: number): Promise<string> =>
  page.evaluate(`document.elementFromPoint(${x}, ${y})?.closest('[id]')?.id ?? ''`)

async function middleOf(page: Page, selector: string): Promise<{ x: number; y: number }> {
  const box = await page.locator(selector).boundingBox()
  if (box === null) throw new Error(`${selector} is not on the page`)
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 }
}
