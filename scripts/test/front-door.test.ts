import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pool } from '@rts/rpc'
import { eventually } from '@rts/testing'
import { afterAll, describe, expect, test } from 'vitest'
import { codeBlocks, runExample, runProgram } from '../examples.ts'
import { publishedPackages, root } from '../workspace.ts'

const READMES = ['README.md', 'README.zh-CN.md'] as const
const PAGES = [...READMES, 'CONTRIBUTING.md'] as const
const ARENA_TESTS = 'examples/arena/test'
/** Where the demo of the READMEs is; a test starts its own elsewhere. */
const DEMO_URL = 'http://127.0.0.1:7080'
const MAX_AT_ONCE = 4
const TIMEOUT_MS = 60_000

const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const scripts: Readonly<Record<string, string>> = JSON.parse(read('package.json')).scripts

/** The example of each package, by the package's name. */
const examplesIn = (page: string): Map<string, string> =>
  new Map(
    [
      ...read(page).matchAll(
        /<summary><code>@rts\/([a-z0-9]+)<\/code><\/summary>\s*```ts\n([^]*?)^```/gm,
      ),
    ].map(([, name = '', code = '']) => [name, code]),
  )

/** The packages of the table, in its order. */
const packagesIn = (page: string): string[] =>
  [...read(page).matchAll(/^\| \[`@rts\/([a-z0-9]+)`\]/gm)].map(([, name]) => name ?? '')

/** What readers are told to type: in code alone, since prose may speak of pnpm too. */
const commandsIn = (page: string): string[] => {
  const code = [...read(page).matchAll(/^```(?:sh)?\n([^]*?)^```|`([^`\n]+)`/gm)].map(
    ([, block, span]) => block ?? span ?? '',
  )
  return code.flatMap((text) =>
    [...text.matchAll(/(?:^|\s)(?:npx -y pnpm@12|pnpm) ([a-z][\w:-]*)/gm)].map(
      ([, command]) => command ?? '',
    ),
  )
}

/** Paths of links and images that lead to files of this repository. */
const linksIn = (page: string): string[] =>
  [...read(page).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link]) => link ?? '')
    .filter((link) => !/^[a-z]+:/.test(link))

/** Comments are in the reader's language. */
const withoutComments = (code: string): string => code.replaceAll(/\s*\/\/ .*$/gm, '')

/** What an example says that it prints: the comments behind `console.log`. */
const promisesOf = (code: string): string[] =>
  [...code.matchAll(/console\.log\(.* \/\/ (.*)$/gm)].map(([, line]) => line ?? '')

// Inside the repository, so that the examples find the packages; it is removed with all they write.
await mkdir(join(root, '.artifacts'), { recursive: true })
const scratch = await mkdtemp(join(root, '.artifacts', 'front-door-'))
afterAll(() => rm(scratch, { recursive: true, force: true }))

const atOnce = pool({ limit: MAX_AT_ONCE, queue: 1000 })
const runCode = atOnce(async (name: string, code: string) => {
  const folder = join(scratch, name)
  await mkdir(folder)
  const file = join(folder, 'example.ts')
  await writeFile(file, code)
  return runExample(file)
})

describe.each(READMES)('the examples of %s', (page) => {
  const seen = page === READMES[0] ? [] : [...examplesIn(READMES[0]).values()]
  const examples = [...examplesIn(page)].filter(([, code]) => !seen.includes(code))
  const outcomes = new Map(examples.map(([name, code]) => [name, runCode(`${page}-${name}`, code)]))

  test.each(examples)(
    '@rts/%s: runs, and prints what it says',
    { timeout: TIMEOUT_MS },
    async (name, code) => {
      const { code: exitCode, output } = await outcomes.get(name)!
      expect(exitCode, output).toBe(0)
      for (const line of promisesOf(code)) expect(output.split('\n')).toContain(line)
    },
  )

  test('there is one for each package, and there are no others', () => {
    const names = publishedPackages().map(({ name }) => name)
    expect([...examplesIn(page).keys()].sort()).toEqual(names)
    expect(packagesIn(page)).toEqual([...examplesIn(page).keys()])
    expect(codeBlocks(read(page), 'ts')).toEqual([...examplesIn(page).values()])
  })
})

test('the types of the examples hold', { timeout: TIMEOUT_MS }, async () => {
  const folder = join(scratch, 'types')
  await mkdir(folder)
  for (const [name, code] of examplesIn(READMES[0]))
    await writeFile(join(folder, `${name}.ts`), code)
  const config = {
    extends: join(root, 'tsconfig.base.json'),
    include: ['*.ts', join(root, 'packages/*/src/**/*.d.ts')],
  }
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config))
  const { code, output } = await runProgram(
    join(root, 'node_modules/.bin/tsc'),
    ['-p', '.'],
    folder,
  )
  expect(code, output).toBe(0)
})

test('the example of the client talks to a running demo', { timeout: TIMEOUT_MS }, async () => {
  const code = examplesIn(READMES[0]).get('client') ?? ''
  expect(code).toContain(DEMO_URL)
  for (const page of READMES) expect(read(page)).toContain(`<${DEMO_URL}>`)
  const folder = join(scratch, 'demo')
  await mkdir(folder)
  const [, ...args] = scripts['demo']!.split(' ')
  const main = args.map((arg) => (/\.[jt]s$/.test(arg) ? join(root, arg) : arg))
  const demo = spawn(process.execPath, [...main, '--port', '0', '--seconds', '60', '--bots', '1'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise((resolve) => demo.once('close', resolve))
  try {
    let output = ''
    demo.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    const url = (): string | undefined => /play at (http:\S+)/.exec(output)?.[1]
    await eventually(() => url() !== undefined, { timeoutMs: 20_000, message: 'a demo' })
    const client = await runCode('client-of-demo', code.replace(DEMO_URL, url()!))
    expect(client.code, client.output).toBe(0)
    expect(client.output).toMatch(/^the leaderboard: \[/)
  } finally {
    demo.kill('SIGTERM')
    await ended
  }
})

test.each(PAGES)('every command that %s names is a script or a tool of this repository', (page) => {
  const commands = commandsIn(page)
  expect(commands).toContain('test')
  const isKnown = (command: string): boolean =>
    command in scripts || existsSync(join(root, 'node_modules/.bin', command))
  expect(commands.filter((command) => !isKnown(command))).toEqual([])
})

test('the two commands that start the game are those that the tests of the arena run', () => {
  for (const page of READMES)
    expect(commandsIn(page)).toEqual(expect.arrayContaining(['demo', 'cluster']))
  const main = /examples\/arena\/src\/main\.js (demo|cluster)$/
  expect(scripts['demo']).toMatch(main)
  expect(scripts['cluster']).toMatch(main)
  expect(read(`${ARENA_TESTS}/program.test.ts`)).toMatch(/'src', 'main\.js'[^]*run\(\['demo'/)
  expect(read(`${ARENA_TESTS}/program.test.ts`)).toMatch(/run\(\['cluster'/)
  const cluster = read(`${ARENA_TESTS}/cluster.test.ts`)
  expect(cluster).toMatch(/ProcessCluster\.start\([^]*'kill -9 of a gate/)
  expect(read(`${ARENA_TESTS}/process-cluster.ts`)).toContain('new Supervisor(')
  expect(read('examples/arena/src/cluster.ts')).toContain('new Supervisor(')
})

test.each(PAGES)('every link and image of %s leads to something', (page) => {
  const links = linksIn(page)
  expect(links.length).toBeGreaterThan(0)
  const isThere = (link: string): boolean => existsSync(join(root, link.replace(/#.*/, '')))
  expect(links.filter((link) => !isThere(link))).toEqual([])
})

test('both READMEs say the same: packages, examples, commands and links', () => {
  const [english, chinese] = READMES.map((page) => ({
    packages: packagesIn(page),
    examples: [...examplesIn(page)].map(([name, code]) => [name, withoutComments(code)]),
    commands: commandsIn(page),
    headings: read(page).match(/^#+ /gm),
    links: linksIn(page)
      .filter((link) => !link.startsWith('README'))
      .sort(),
  }))
  expect(chinese).toEqual(english)
  for (const [index, page] of READMES.entries()) expect(linksIn(page)).toContain(READMES[1 - index])
})
