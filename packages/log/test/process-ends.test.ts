import { execFile, spawn } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { scratchFolder } from '@rts/testing'
import { describe, expect, it } from 'vitest'

interface Run {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

const FIXTURES = {
  ends: new URL('./fixtures/ends.ts', import.meta.url),
  pipe: new URL('./fixtures/pipe.ts', import.meta.url),
  places: new URL('./fixtures/places.ts', import.meta.url),
  prints: new URL('./fixtures/prints.ts', import.meta.url),
}
type Fixture = keyof typeof FIXTURES

const nodeArguments = (name: Fixture, args: readonly string[]): string[] => [
  '--conditions=@rts/source',
  fileURLToPath(FIXTURES[name]),
  ...args,
]

const run = (name: Fixture, ...args: string[]): Promise<Run> =>
  new Promise((resolve) => {
    const child = execFile(process.execPath, nodeArguments(name, args), (_error, stdout, stderr) =>
      resolve({ code: child.exitCode, stdout, stderr }),
    )
  })

const numbers = (text: string): number[] =>
  [...text.matchAll(/ line (\d+) /g)].map(([, number]) => Number(number))
const all = Array.from({ length: 2000 }, (_, index) => index)

describe('a process that ends', () => {
  it.each([
    ['exit', 0],
    ['exit at once', 0],
    ['throw', 1],
    ['reject', 1],
    ['exit listener', 0],
    ['winston end', 0],
    ['close', null],
    ['flush', null],
    ['nothing left to do', 0],
  ])('by %s loses no line and keeps their order', async (ending, code) => {
    await using scratch = await scratchFolder()
    const ended = await run('ends', scratch.path, ending)
    expect(ended.code).toBe(code)
    const [file, ...others] = await readdir(scratch.path)
    expect(others).toEqual([])
    const text = await readFile(join(scratch.path, file!), 'utf8')
    expect(numbers(text)).toEqual(all)
    expect(text.endsWith('\n')).toBe(true)
    if (ending === 'exit listener') expect(text).toContain('line from an exit listener')
  })
})

describe('stdout', () => {
  it('has lines and the prints of others in the order they were made', async () => {
    const { stdout, code } = await run('prints')
    const lines = stdout.split('\n').slice(0, -1)
    expect(code).toBe(0)
    expect(lines).toHaveLength(1000)
    for (let index = 0; index < 500; index += 1) {
      expect(lines[2 * index]).toMatch(
        new RegExp(`^\\S+ INFO  child  logged ${index}  padding=x+$`),
      )
      expect(lines[2 * index + 1]).toBe(`printed ${index}`)
    }
  })

  it('may be closed by its reader: the process lives on in silence', async () => {
    const child = spawn(process.execPath, nodeArguments('pipe', []))
    let stderr = ''
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    child.stdout.once('data', () => child.stdout.destroy())
    const code = await new Promise((resolve) => child.on('close', resolve))
    expect([code, stderr]).toEqual([0, 'alive\n'])
  })
})

describe('places', () => {
  const placesOf = async (places: string): Promise<(string | undefined)[]> =>
    (await run('places', places)).stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => (JSON.parse(line) as { place?: string }).place)

  const full = (line: number, column: number): string =>
    expect.stringMatching(
      new RegExp(`^(packages/log/)?test/fixtures/places\\.ts:${line}:${column}$`),
    ) as string

  it('stand in warnings and errors, whichever way they were logged', async () => {
    expect(await placesOf('warn')).toEqual([
      full(7, 8),
      undefined,
      full(9, 27),
      full(10, 8),
      full(11, 28),
      full(13, 1),
      full(15, 8),
      undefined,
    ])
  })

  it('stand in short in the other lines when asked for', async () => {
    expect((await placesOf('all'))[1]).toBe('places.ts:8')
    expect(await placesOf('none')).toEqual(Array.from({ length: 8 }))
  })
})
