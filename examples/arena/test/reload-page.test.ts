import { spawn } from 'node:child_process'
import { eventually, serviceBinary } from '@rts/testing'
import { expect, test } from 'vitest'
import { ArenaCopy } from './arena-copy.ts'
import { hasMoved, launchBrowser, look, newPage, ownShip, waitFor } from './page.ts'

test.skipIf(serviceBinary('chromium') === undefined)(
  'a file of the running demo is saved: the page tells the new version, and its player goes on',
  async () => {
    await using cleanUp = new AsyncDisposableStack()
    const arena = cleanUp.use(await ArenaCopy.make())
    const args = ['demo', '--seconds', '120', '--bots', '2', '--port', '0', '--store', ':memory:']
    const demo = spawn(process.execPath, ['--conditions=@rts/source', arena.main, ...args], {
      cwd: arena.folder,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = new Promise((resolve) => demo.once('close', resolve))
    cleanUp.defer(async () => {
      demo.kill('SIGTERM')
      await ended
    })
    let output = ''
    demo.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    const url = (): string | undefined => /play at (http:\S+)/.exec(output)?.[1]
    await eventually(() => url() !== undefined, { timeoutMs: 20_000, message: 'no demo' })

    const browser = await launchBrowser()
    cleanUp.defer(() => browser.close())
    const { page, errors } = await newPage(browser, { viewport: { width: 1440, height: 900 } })
    await page.goto(url()!)
    await page.getByRole('button', { name: 'Play as a guest' }).click()
    await waitFor(page, (seen) => ownShip(seen) !== undefined, 'no ship')
    const says = (text: string): Promise<void> =>
      eventually(async () => expect(await page.textContent('#nodes-count')).toBe(text), {
        timeoutMs: 15_000,
      })
    await says('3, code 1')
    const { session } = (await look(page)).connection
    // Gone if the page were loaded again.
    await page.evaluate('window.sameDocument = true')

    arena.edit('shared/rules.ts', 'THRUST_PER_SECOND = 420', 'THRUST_PER_SECOND = 430')
    await says('3, code 2')
    expect(await page.textContent('#nodes')).toMatch(/game_1game\d room, \d ships, code 2/)
    expect(await page.evaluate('window.sameDocument')).toBe(true)
    const before = await look(page)
    await page.keyboard.down('ArrowUp')
    await waitFor(page, (seen) => hasMoved(ownShip(before), ownShip(seen)), 'it stands still')
    expect((await look(page)).connection).toMatchObject({ session, resumes: 0 })
    expect(errors).toEqual([])
  },
)
