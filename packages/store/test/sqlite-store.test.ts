import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import type { Readable, Writable } from 'node:stream'
import { Worker } from 'node:worker_threads'
import { SteppedClock, scratchFolder, seededRandom } from '@rts/testing'
import { describe, expect, it } from 'vitest'
import { SqliteStore, type SaveRequest, type SqliteStoreOptions } from '../src/index.ts'
import { storesConform } from './entity-store.conformance.ts'

const open = (options: string | SqliteStoreOptions): Promise<SqliteStore> =>
  new SqliteStore(typeof options === 'string' ? { file: options } : options).open()

storesConform('SqliteStore', async () => {
  const folder = await scratchFolder()
  const path = join(folder.path, 'game.db')
  // At once, as two processes that start together do.
  const [a, b] = await Promise.all([open(path), open(path)])
  return {
    a,
    b,
    async [Symbol.asyncDispose]() {
      await a.close()
      await b.close()
      await folder[Symbol.asyncDispose]()
    },
  }
})

const request = (fields: Partial<SaveRequest> = {}): SaveRequest => ({
  type: 'avatar',
  id: 'ann',
  version: 0,
  fence: 0,
  data: { gold: 1 },
  ...fields,
})

describe('SqliteStore', () => {
  it('finds everything again after it was closed, fences included', async () => {
    await using folder = await scratchFolder()
    const path = join(folder.path, 'game.db')
    {
      await using store = await open(path)
      await store.save([request({ fence: 5 })])
      await store.load('avatar', 'bob', { fence: 6 })
    }
    await using store = await open({ file: path, synchronous: 'full' })
    expect(await store.load('avatar', 'ann')).toMatchObject({ version: 1, data: { gold: 1 } })
    await expect(store.load('avatar', 'bob', { fence: 5 })).rejects.toMatchObject({
      code: 'STORE_FENCED',
    })
  })

  it('leaves one plain file behind when the last one closes', async () => {
    await using folder = await scratchFolder()
    const path = join(folder.path, 'game.db')
    const store = await open(path)
    await store.save([request()])
    await store.close()
    await expect(readFile(`${path}-wal`)).rejects.toMatchObject({ code: 'ENOENT' })
    expect(rowsOf(path)).toEqual([{ id: 'ann', version: 1, data: '{"gold":1}' }])
  })

  it('opens with the first call, and tries again with the next when it could not', async () => {
    await using folder = await scratchFolder()
    const parent = join(folder.path, 'later')
    await using store = new SqliteStore({ file: join(parent, 'game.db') })
    await expect(store.load('avatar', 'ann')).rejects.toMatchObject({ code: 'STORE_OPEN_FAILED' })
    await mkdir(parent)
    expect(await store.save([request()])).toEqual([{ saved: true, version: 1 }])
  })

  it('can be closed without having been opened', async () => {
    const store = new SqliteStore({ file: '/no/such/folder/game.db' })
    await store.close()
    await expect(store.open()).rejects.toMatchObject({ code: 'STORE_CLOSED' })
  })

  it('says which file it could not open', async () => {
    await using folder = await scratchFolder()
    const path = join(folder.path, 'no', 'such', 'folder', 'game.db')
    await expect(open(path)).rejects.toMatchObject({
      code: 'STORE_OPEN_FAILED',
      message: expect.stringContaining(path),
    })
  })

  it('refuses a file that is something else, and leaves it as it was', async () => {
    await using folder = await scratchFolder()
    const text = join(folder.path, 'notes.txt')
    await writeFile(text, 'these are notes, and no database at all\n'.repeat(50))
    await expect(open(text)).rejects.toMatchObject({ code: 'STORE_SCHEMA' })
    expect(await readFile(text, 'utf8')).toContain('these are notes')

    const other = join(folder.path, 'other.db')
    edit(other, 'CREATE TABLE users (name TEXT)')
    await expect(open(other)).rejects.toMatchObject({ code: 'STORE_SCHEMA' })
    expect(rowsOf(other, 'SELECT name FROM sqlite_schema')).toEqual([{ name: 'users' }])
    expect(rowsOf(other, 'PRAGMA journal_mode')).toEqual([{ journal_mode: 'delete' }])
  })

  it('refuses a file of a newer version of this package', async () => {
    await using folder = await scratchFolder()
    const path = join(folder.path, 'game.db')
    await (await open(path)).close()
    edit(path, 'PRAGMA user_version = 2')
    await expect(open(path)).rejects.toMatchObject({
      code: 'STORE_SCHEMA',
      message: expect.stringContaining('schema version 2'),
    })
  })

  it('reports a row that is no document', async () => {
    await using folder = await scratchFolder()
    await using store = await open(join(folder.path, 'game.db'))
    await store.save([request()])
    edit(store.file, `UPDATE entity SET data = '{"gold":'`)
    await expect(store.load('avatar', 'ann')).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  })

  it('writes a batch wholly or not at all', async () => {
    await using folder = await scratchFolder()
    await using store = await open(join(folder.path, 'game.db'))
    edit(
      store.file,
      `CREATE TRIGGER no_bob BEFORE INSERT ON entity WHEN new.id = 'bob'
       BEGIN SELECT RAISE(FAIL, 'disk on fire'); END`,
    )
    await expect(store.save([request(), request({ id: 'bob' })])).rejects.toMatchObject({
      code: 'STORE_IO',
      executed: 'no',
      message: expect.stringContaining('disk on fire'),
    })
    expect(await store.load('avatar', 'ann')).toBeUndefined()
    expect(await store.save([request()])).toEqual([{ saved: true, version: 1 }])
  })

  it('waits while another connection writes, without holding up the event loop', async () => {
    await using folder = await scratchFolder()
    const clock = new SteppedClock()
    const path = join(folder.path, 'game.db')
    await using store = await open({ file: path, clock, random: seededRandom(1) })
    using other = lock(path)
    let isSaved = false
    const saving = store.save([request()]).then(() => (isSaved = true))
    await clock.advance(1_000)
    expect(isSaved).toBe(false)
    other.exec('COMMIT')
    await clock.advance(100)
    expect(isSaved).toBe(true)
    await saving
  })

  it('gives up after the busy timeout, having done nothing, and works again later', async () => {
    await using folder = await scratchFolder()
    const clock = new SteppedClock()
    const path = join(folder.path, 'game.db')
    await using store = await open({ file: path, clock, busyTimeoutMs: 200 })
    using other = lock(path)
    const [outcome] = await Promise.allSettled([store.save([request()]), clock.advance(300)])
    expect(outcome).toMatchObject({ reason: { code: 'STORE_BUSY', executed: 'no' } })
    other.exec('COMMIT')
    expect(await store.save([request()])).toEqual([{ saved: true, version: 1 }])
  })

  it('reads while another connection writes', async () => {
    await using folder = await scratchFolder()
    const path = join(folder.path, 'game.db')
    await using store = await open({ file: path, clock: new SteppedClock() })
    await store.save([request({ fence: 3 })])
    using other = lock(path)
    other.exec('DELETE FROM entity')
    expect(await store.load('avatar', 'ann', { fence: 3 })).toMatchObject({ version: 1 })
    expect(await store.list('avatar', { limit: 1 })).toHaveLength(1)
  })

  it('bounds how many calls may wait, and closes after those that do', async () => {
    await using folder = await scratchFolder()
    const clock = new SteppedClock()
    const path = join(folder.path, 'game.db')
    const store = await open({ file: path, clock, maxPending: 2 })
    const other = lock(path)
    const first = store.save([request()])
    const second = store.save([request({ version: 1 })])
    await expect(store.load('avatar', 'ann')).rejects.toMatchObject({ code: 'STORE_BUSY' })
    const closing = store.close()
    other.exec('COMMIT')
    other.close()
    await clock.advance(100)
    expect(await first).toEqual([{ saved: true, version: 1 }])
    expect(await second).toEqual([{ saved: true, version: 2 }])
    await closing
    expect(rowsOf(path)).toMatchObject([{ version: 2 }])
  })

  it('can list a page and write at once afterwards', async () => {
    await using folder = await scratchFolder()
    await using store = await open(join(folder.path, 'game.db'))
    await store.save(['a', 'b', 'c'].map((id) => request({ id })))
    expect(await store.list('avatar', { limit: 1 })).toHaveLength(1)
    expect(await store.save([request({ id: 'd' })])).toEqual([{ saved: true, version: 1 }])
    const [checkpoint] = rowsOf(store.file, 'PRAGMA wal_checkpoint(TRUNCATE)')
    expect(checkpoint).toMatchObject({ busy: 0 })
  })

  it('names an option it cannot work with', () => {
    const file = 'x.db'
    expect(() => new SqliteStore({ file, maxPending: 0 })).toThrow(/maxPending .* not 0/)
    expect(() => new SqliteStore({ file, busyTimeoutMs: -1 })).toThrow(/busyTimeoutMs/)
  })
})

describe('several processes with one SQLite file', () => {
  it('all save to it at once and lose nothing', async () => {
    await using folder = await scratchFolder()
    const path = join(folder.path, 'game.db')
    const writers = [new Writer(path, 'one', 20), new Writer(path, 'two', 20)]
    await using store = await open(path)
    await Promise.all(writers.map((writer) => writer.reached(1)))
    for (let version = 0; version < 50; version += 1) {
      const [result] = await store.save([request({ version, fence: 1 })])
      expect(result).toEqual({ saved: true, version: version + 1 })
    }
    await Promise.all(writers.map((writer) => writer.reached(30)))
    const ended = await Promise.all(writers.map((writer) => writer.stop()))
    expect(ended.map(({ code, stderr }) => ({ code, stderr }))).toEqual([
      { code: 0, stderr: '' },
      { code: 0, stderr: '' },
    ])
    for (const [index, name] of ['one', 'two'].entries()) {
      const page = await store.list('avatar', { limit: 100, prefix: `${name}:` })
      expect(page.map(({ version }) => version)).toEqual(Array(20).fill(ended[index]?.version))
    }
  })

  it('make a new file a store once, however many open it at the same moment', async () => {
    await using folder = await scratchFolder()
    const arrived = new Int32Array(new SharedArrayBuffer(4))
    const threads = Array.from(
      { length: 4 },
      () =>
        new Worker(new URL('./sqlite-opener.ts', import.meta.url), {
          execArgv: ['--conditions=@rts/source'],
          workerData: { arrived, threads: 4 },
        }),
    )
    for (let round = 0; round < 50; round += 1) {
      const path = join(folder.path, `${round}.db`)
      const answers = threads.map((thread) => once(thread, 'message'))
      for (const thread of threads) thread.postMessage(path, [])
      expect((await Promise.all(answers)).flat()).toEqual(['open', 'open', 'open', 'open'])
    }
    await Promise.all(threads.map((thread) => thread.terminate()))
  })

  it('fences an owner in another process', async () => {
    await using folder = await scratchFolder()
    const path = join(folder.path, 'game.db')
    const writer = new Writer(path, 'ann', 1)
    await writer.reached(3)
    await using store = await open(path)
    const taken = await store.load('avatar', 'ann:0', { fence: 2 })
    const { code, stderr } = await writer.ended
    expect(code).toBe(1)
    expect(stderr).toContain('"reason":"fenced"')
    const version = taken?.version ?? 0
    expect(version).toBeGreaterThanOrEqual(3)
    expect(await store.save([request({ id: 'ann:0', version, fence: 2 })])).toEqual([
      { saved: true, version: version + 1 },
    ])
  })

  it('keep every finished batch, whole, of a writer that was killed', async () => {
    await using folder = await scratchFolder()
    const path = join(folder.path, 'game.db')
    const writer = new Writer(path, 'one', 50)
    await writer.reached(20)
    writer.kill()
    const { version: told } = await writer.ended
    await using store = await open(path)
    const page = await store.list('avatar', { limit: 100 })
    const versions = new Set(page.map(({ version }) => version))
    expect(page).toHaveLength(50)
    expect(versions.size).toBe(1)
    // It may have died between the save and the line that tells of it.
    expect([told, told + 1]).toContain([...versions][0])
    expect(rowsOf(path, 'PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }])
    expect(await store.save([request()])).toEqual([{ saved: true, version: 1 }])
  })
})

/** `sqlite-writer.ts` in a process of its own. */
class Writer {
  readonly ended: Promise<{ code: number | null; version: number; stderr: string }>
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #waits = new Map<number, () => void>()
  #version = 0

  constructor(path: string, name: string, batchSize: number) {
    const script = new URL('./sqlite-writer.ts', import.meta.url).pathname
    const flags = ['--conditions=@rts/source', script, path, name, String(batchSize)]
    this.#child = spawn(process.execPath, flags, { stdio: ['pipe', 'pipe', 'pipe'] })
    let stderr = ''
    this.#child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    createInterface(this.#child.stdout).on('line', (line) => {
      this.#version = Number(line)
      this.#waits.get(this.#version)?.()
    })
    this.ended = new Promise((resolve) => {
      this.#child.once('close', (code) => {
        for (const done of this.#waits.values()) done()
        resolve({ code, version: this.#version, stderr })
      })
    })
  }

  /** Resolves when it has saved so often, or has ended. */
  reached(version: number): Promise<void> {
    if (this.#version >= version) return Promise.resolve()
    return new Promise((resolve) => this.#waits.set(version, resolve))
  }

  stop(): Promise<{ code: number | null; version: number; stderr: string }> {
    this.#child.stdin.write('stop\n')
    return this.ended
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}

/** Another connection that has begun to write and does not finish. */
function lock(path: string): DatabaseSync {
  const database = new DatabaseSync(path)
  database.exec('BEGIN IMMEDIATE')
  return database
}

function edit(path: string, sql: string): void {
  using database = new DatabaseSync(path)
  database.exec(sql)
}

function rowsOf(path: string, sql = 'SELECT id, version, data FROM entity'): unknown[] {
  using database = new DatabaseSync(path)
  return database
    .prepare(sql)
    .all()
    .map((row) => ({ ...row }))
}
