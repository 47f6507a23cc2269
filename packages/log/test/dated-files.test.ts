import { execFileSync } from 'node:child_process'
import { mkdir, open, readdir, readFile, rm, symlink, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { eventually, scratchFolder, seededRandom, SteppedClock } from '@rts/testing'
import { describe, expect, it } from 'vitest'
import { DatedNames, type Period } from '../src/dated-name.ts'
import type { LogError } from '../src/errors.ts'
import type { Rotation } from '../src/options.ts'
import { DatedFiles, type DatedFilesOptions } from '../src/transports/dated-files.ts'

const HOUR = 3_600_000
const NOON = Date.UTC(2026, 10, 22, 12)

interface Setup {
  readonly files: DatedFiles
  readonly clock: SteppedClock
  readonly errors: LogError[]
}

function setup(
  folder: string,
  options: Partial<DatedFilesOptions> = {},
  period: Period = 'day',
): Setup {
  const clock = new SteppedClock({ wallMs: NOON })
  const errors: LogError[] = []
  const files = new DatedFiles({
    folder,
    names: new DatedNames('game', period, true),
    keep: undefined,
    flushIntervalMs: 50,
    maxBufferedBytes: 1_000_000,
    clock,
    onRotate: undefined,
    report: (error) => errors.push(error),
    notice: (dropped) => `dropped=${dropped}\n`,
    ...options,
  })
  return { files, clock, errors }
}

const linesOf = async (file: string): Promise<string[]> =>
  (await readFile(file, 'utf8')).split('\n').slice(0, -1)

describe('DatedFiles', () => {
  it('writes lines in order to the file of their date, which it makes with its folder', async () => {
    await using scratch = await scratchFolder()
    const folder = join(scratch.path, 'a', 'b')
    const { files, clock } = setup(folder)
    files.write(clock.wall(), 'one\n')
    files.write(clock.wall(), 'zwei ü\n')
    expect(files.stats()).toMatchObject({ lines: 2, bufferedBytes: 12 })
    await files.flush()
    expect(await linesOf(join(folder, 'game.2026-11-22.log'))).toEqual(['one', 'zwei ü'])
    expect(files.stats()).toMatchObject({ lines: 2, bufferedBytes: 0 })
    files.close()
  })

  it('appends to a file that is there', async () => {
    await using scratch = await scratchFolder()
    const file = join(scratch.path, 'game.2026-11-22.log')
    await writeFile(file, 'before\n')
    const { files, clock } = setup(scratch.path)
    files.write(clock.wall(), 'after\n')
    await files.flush()
    expect(await linesOf(file)).toEqual(['before', 'after'])
    files.close()
  })

  it('writes by itself after the flush interval, and at once when there is much', async () => {
    await using scratch = await scratchFolder()
    const { files, clock } = setup(scratch.path)
    const file = join(scratch.path, 'game.2026-11-22.log')
    files.write(clock.wall(), 'one\n')
    await clock.advance(49)
    expect(await readdir(scratch.path)).toEqual([])
    await clock.advance(1)
    await eventually(async () => expect(await linesOf(file)).toEqual(['one']))
    const long = `${'x'.repeat(70_000)}\n`
    files.write(clock.wall(), long)
    await eventually(async () => expect(await linesOf(file)).toHaveLength(2))
    files.close()
  })

  it('puts every line into the right file once and in order, over many rotations and clocks set back', async () => {
    await using scratch = await scratchFolder()
    const { files, clock } = setup(scratch.path, {}, 'hour')
    const names = new DatedNames('game', 'hour', true)
    const random = seededRandom(7)
    const expected = new Map<string, string[]>()
    for (let index = 0; index < 3000; index += 1) {
      if (random.int(3) === 0) clock.jumpWall(random.int(8) === 0 ? -HOUR : random.int(HOUR))
      const line = `${index} ${'x'.repeat(random.int(200))}`
      const name = names.of(clock.wall())
      expected.set(name, [...(expected.get(name) ?? []), line])
      files.write(clock.wall(), `${line}\n`)
      const chance = random.int(100)
      if (chance === 0) await files.flush()
      else if (chance === 1) files.flushSync()
    }
    await files.flush()
    expect((await readdir(scratch.path)).sort()).toEqual([...expected.keys()].sort())
    for (const [name, lines] of expected)
      expect(await linesOf(join(scratch.path, name))).toEqual(lines)
    expect(expected.size).toBeGreaterThan(200)
    files.close()
  })

  it('tells each rotation in order, awaits the hook, and writes on meanwhile', async () => {
    await using scratch = await scratchFolder()
    const rotations: Rotation[] = []
    let release = (): void => {}
    const gate = new Promise<void>((resolve) => (release = resolve))
    const onRotate = async (rotation: Rotation): Promise<void> => {
      rotations.push(rotation)
      await gate
    }
    const { files, clock } = setup(scratch.path, { onRotate })
    for (let day = 0; day < 3; day += 1) {
      files.write(clock.wall(), `day ${day}\n`)
      clock.jumpWall(24 * HOUR)
    }
    await files.flush()
    const [first, second, third] = ['22', '23', '24'].map((day) =>
      join(scratch.path, `game.2026-11-${day}.log`),
    )
    await eventually(() => expect(rotations).toHaveLength(1))
    expect(await linesOf(third!)).toEqual(['day 2'])
    release()
    await files.hooksDone()
    expect(rotations).toEqual([
      { from: first, to: second, deleted: [] },
      { from: second, to: third, deleted: [] },
    ])
    files.close()
  })

  it('reports a hook that fails and goes on', async () => {
    await using scratch = await scratchFolder()
    const { files, clock, errors } = setup(scratch.path, {
      onRotate: () => Promise.reject(new Error('mail server away')),
    })
    for (let day = 0; day < 3; day += 1) {
      files.write(clock.wall(), 'x\n')
      clock.jumpWall(24 * HOUR)
    }
    await files.flush()
    await files.hooksDone()
    expect(errors.map(({ code }) => code)).toEqual(['LOG_HOOK_FAILED', 'LOG_HOOK_FAILED'])
    files.close()
  })

  it('keeps as many files as told, and touches no others', async () => {
    await using scratch = await scratchFolder()
    const others = [
      'game.txt',
      'game.2026-01-01_10.log',
      'lobby.2026-01-01.log',
      'game.b.2026-01-01.log',
    ]
    const old = ['game.2026-01-01.log', 'game.2026-01-02.log', 'game.2026-11-21.log']
    for (const name of [...others, ...old]) await writeFile(join(scratch.path, name), 'old\n')
    const deleted: string[] = []
    const { files, clock } = setup(scratch.path, {
      keep: 2,
      onRotate: (rotation) => void deleted.push(...rotation.deleted),
    })
    files.write(clock.wall(), 'x\n')
    await files.flush()
    await files.hooksDone()
    const left = async (): Promise<string[]> => (await readdir(scratch.path)).sort()
    expect(await left()).toEqual([...others, 'game.2026-11-21.log', 'game.2026-11-22.log'].sort())
    clock.jumpWall(24 * HOUR)
    files.write(clock.wall(), 'x\n')
    await files.flush()
    await files.hooksDone()
    expect(await left()).toEqual([...others, 'game.2026-11-22.log', 'game.2026-11-23.log'].sort())
    expect(deleted).toEqual([join(scratch.path, 'game.2026-11-21.log')])
    files.close()
  })

  it('never deletes the file it writes, even when the clock was set back before all others', async () => {
    await using scratch = await scratchFolder()
    for (const day of ['01', '02'])
      await writeFile(join(scratch.path, `game.2027-01-${day}.log`), 'future\n')
    const { files, clock } = setup(scratch.path, { keep: 1 })
    files.write(clock.wall(), 'x\n')
    await files.flush()
    await files.hooksDone()
    expect(await readdir(scratch.path)).toContain('game.2026-11-22.log')
    files.close()
  })

  it('makes the file anew when somebody deleted it', async () => {
    await using scratch = await scratchFolder()
    const { files, clock } = setup(scratch.path)
    const file = join(scratch.path, 'game.2026-11-22.log')
    files.write(clock.wall(), 'one\n')
    await files.flush()
    await unlink(file)
    await clock.advance(5000)
    files.write(clock.wall(), 'two\n')
    await files.flush()
    expect(await linesOf(file)).toEqual(['two'])
    files.close()
  })
})

describe('DatedFiles when the disk fails', () => {
  it('tells once, keeps the lines, and writes them when the folder can be made', async () => {
    await using scratch = await scratchFolder()
    const folder = join(scratch.path, 'logs')
    await writeFile(folder, 'a file where the folder should be')
    const { files, clock, errors } = setup(folder)
    files.write(clock.wall(), 'one\n')
    await clock.advance(50)
    await eventually(() => expect(errors).toHaveLength(1))
    expect(errors[0]).toMatchObject({ code: 'LOG_OPEN_FAILED' })
    await clock.advance(1000)
    await eventually(() => expect(files.stats().failures).toBe(2))
    await rm(folder)
    files.write(clock.wall(), 'two\n')
    await files.flush()
    expect(await linesOf(join(folder, 'game.2026-11-22.log'))).toEqual(['one', 'two'])
    expect(errors).toHaveLength(1)
    files.close()
  })

  it('tells that the disk is full, and loses nothing when there is room again', async () => {
    await using scratch = await scratchFolder()
    const file = join(scratch.path, 'game.2026-11-22.log')
    await symlink('/dev/full', file)
    const { files, clock, errors } = setup(scratch.path)
    files.write(clock.wall(), 'one\n')
    await clock.advance(50)
    await eventually(() => expect(errors).toMatchObject([{ code: 'LOG_WRITE_FAILED' }]))
    expect(errors[0]!.message).toContain('ENOSPC')
    await unlink(file)
    await clock.advance(1000)
    await eventually(async () => expect(await linesOf(file)).toEqual(['one']))
    files.close()
  })

  it('ends a flush with an error after 5 s', async () => {
    await using scratch = await scratchFolder()
    await symlink('/dev/full', join(scratch.path, 'game.2026-11-22.log'))
    const { files, clock } = setup(scratch.path)
    files.write(clock.wall(), 'one\n')
    const ended = files.flush().catch((error: LogError) => error.code)
    await clock.advance(5000)
    expect(await ended).toBe('LOG_FLUSH_TIMEOUT')
    files.close()
  })

  it('holds no more than allowed while a write hangs, and tells how many lines it dropped', async () => {
    await using scratch = await scratchFolder()
    const file = join(scratch.path, 'game.2026-11-22.log')
    // A pipe that nobody reads is a disk that hangs.
    execFileSync('/usr/bin/mkfifo', [file])
    const { files, clock } = setup(scratch.path, { maxBufferedBytes: 1000 })
    for (let index = 0; index < 500; index += 1) {
      files.write(clock.wall(), `line ${index}\n`)
      expect(files.stats().bufferedBytes).toBeLessThanOrEqual(1000)
    }
    await clock.advance(50)
    const { dropped } = files.stats()
    expect(dropped).toBeGreaterThan(300)
    const reader = await open(file, 'r')
    await files.flush()
    const { buffer, bytesRead } = await reader.read({ buffer: Buffer.alloc(4096) })
    const lines = buffer.subarray(0, bytesRead).toString().split('\n').slice(0, -1)
    const kept = Array.from({ length: 500 - dropped }, (_, index) => `line ${index}`)
    expect(lines.filter((line) => line.startsWith('line'))).toEqual(kept)
    await eventually(() => expect(files.stats().bufferedBytes).toBe(0))
    files.write(clock.wall(), 'after\n')
    await files.flush()
    const rest = await reader.read({ buffer: Buffer.alloc(4096) })
    const text = lines.join('\n') + rest.buffer.subarray(0, rest.bytesRead).toString()
    expect(text).toContain(`dropped=${dropped}`)
    files.close()
    await reader.close()
  })

  it('reports what retention cannot delete', async () => {
    await using scratch = await scratchFolder()
    await mkdir(join(scratch.path, 'game.2026-01-01.log'))
    const { files, clock, errors } = setup(scratch.path, { keep: 1 })
    files.write(clock.wall(), 'x\n')
    await files.flush()
    await files.hooksDone()
    expect(errors).toMatchObject([{ code: 'LOG_RETENTION_FAILED' }])
    files.close()
  })
})

describe('DatedFiles at the end', () => {
  it('writes what is left when closed, and counts what comes later', async () => {
    await using scratch = await scratchFolder()
    const { files, clock } = setup(scratch.path)
    files.write(clock.wall(), 'one\n')
    clock.jumpWall(24 * HOUR)
    files.write(clock.wall(), 'two\n')
    files.close()
    files.close()
    expect(await linesOf(join(scratch.path, 'game.2026-11-22.log'))).toEqual(['one'])
    expect(await linesOf(join(scratch.path, 'game.2026-11-23.log'))).toEqual(['two'])
    files.write(clock.wall(), 'three\n')
    expect(files.stats()).toMatchObject({ lines: 2, dropped: 1 })
    await files.flush()
  })

  it('keeps order and number when closed while writes are on their way', async () => {
    await using scratch = await scratchFolder()
    for (let round = 0; round < 15; round += 1) {
      const folder = join(scratch.path, String(round))
      const { files, clock } = setup(folder, { maxBufferedBytes: 10_000_000 })
      const lines = Array.from({ length: 4000 }, (_, index) => `${index} ${'x'.repeat(60)}`)
      for (const [index, line] of lines.entries()) {
        files.write(clock.wall(), `${line}\n`)
        // Lets the thread pool come to any point of the work.
        if (index % 700 === round * 40) await readdir(scratch.path)
      }
      files.close()
      expect(await linesOf(join(folder, 'game.2026-11-22.log'))).toEqual(lines)
    }
  })

  it('writes every line at once after the exit began', async () => {
    await using scratch = await scratchFolder()
    const { files, clock } = setup(scratch.path)
    files.write(clock.wall(), 'one\n')
    files.flushAtExit()
    files.write(clock.wall(), 'two\n')
    expect(await linesOf(join(scratch.path, 'game.2026-11-22.log'))).toEqual(['one', 'two'])
    files.close()
  })
})
