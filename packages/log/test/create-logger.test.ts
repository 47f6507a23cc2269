import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, Writable } from 'node:stream'
import { scratchFolder, SteppedClock } from '@rts/testing'
import { describe, expect, it } from 'vitest'
import winston from 'winston'
import { createLogger } from '../src/create-logger.ts'
import type { LogError } from '../src/errors.ts'
import type { LoggerOptions } from '../src/options.ts'

const NOON = Date.UTC(2026, 10, 22, 12)

/** A stream that keeps what it is given. */
function sink(): PassThrough & { text(): string } {
  const stream = new PassThrough()
  return Object.assign(stream, { text: () => String(stream.read() ?? '') })
}

function setup(options: Partial<LoggerOptions> = {}) {
  const stream = sink()
  const clock = new SteppedClock({ wallMs: NOON })
  const logger = createLogger({
    name: 'game',
    places: 'none',
    console: { stream, format: 'json' },
    clock,
    ...options,
  })
  const lines = (): Record<string, unknown>[] =>
    stream
      .text()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  return { stream, clock, logger, lines }
}

describe('createLogger', () => {
  it('logs a message with fields at a time', () => {
    const { logger, lines } = setup()
    logger.info('joined', { player: 7, level: 3, name: 'Bob' })
    const time = lines()[0]!['time']
    expect(new Date(String(time)).getTime()).toBe(NOON)
    logger.info('left')
    expect(lines()).toMatchObject([{ level: 'info', logger: 'game', message: 'left' }])
  })

  it('fits the logger that packages declare, and is a winston logger', () => {
    interface PackageLogger {
      debug(message: string, fields?: Record<string, unknown>): void
      warn(message: string, fields?: Record<string, unknown>): void
    }
    const { logger, lines } = setup()
    const forPackages: PackageLogger = logger
    const forWinston: winston.Logger = logger
    forPackages.warn('a', { b: 1 })
    forWinston.info('c')
    expect(logger).toBeInstanceOf(winston.Logger)
    expect(lines()).toMatchObject([{ message: 'a', b: 1 }, { message: 'c' }])
  })

  it('writes what its level allows, and the level may change', () => {
    const { logger, lines } = setup({ level: 'warn' })
    for (const level of ['error', 'warn', 'info', 'debug'] as const) logger[level](level)
    logger.level = 'debug'
    logger.debug('now')
    logger.silly('not yet')
    expect(lines().map(({ message }) => message)).toEqual(['error', 'warn', 'now'])
    expect(logger.isDebugEnabled()).toBe(true)
  })

  it('lets console and file have levels of their own', async () => {
    await using scratch = await scratchFolder()
    const stream = sink()
    const logger = createLogger({
      name: 'game',
      level: 'info',
      console: { stream, level: 'warn' },
      file: { folder: scratch.path, level: 'debug' },
    })
    logger.debug('fine')
    logger.warn('wrong')
    logger.close()
    expect(stream.text()).toMatch(/^\S+ WARN {2}game {2}wrong {2}\S+:\d+:\d+\n$/)
    const [file] = await readdir(scratch.path)
    expect((await readFile(join(scratch.path, file!), 'utf8')).split('\n')).toHaveLength(3)
  })

  it('gives children fields and a name; what a line says itself wins', () => {
    const { logger, lines } = setup({ fields: { role: 'game', shard: 1 } })
    const room = logger.child({ logger: 'game.room', room: 'r1', shard: 2 })
    room.info('made', { seats: 4 })
    room.child({ player: 9, room: 'r2' }).warn('late', { player: 10, logger: 'mine' })
    logger.info('plain')
    expect(lines()).toMatchObject([
      { logger: 'game.room', message: 'made', seats: 4, room: 'r1', shard: 2, role: 'game' },
      { logger: 'game.room', player: 10, room: 'r2', shard: 2, role: 'game', logger_: 'mine' },
      { logger: 'game', message: 'plain', shard: 1, role: 'game' },
    ])
  })

  it('takes lines in all the ways of winston', () => {
    const { logger, lines } = setup()
    logger.log('info', 'one', { a: 1 })
    logger.log({ level: 'warn', message: 'two', a: 2 })
    logger.info({ message: 'three', a: 3 })
    logger.info('%s %d', 'four', 4, { a: 4 })
    logger.write({ level: 'info', message: 'five', a: 5 })
    logger.log('unheard', 'six', { a: 6 })
    const { info } = logger
    info('seven', { a: 7 })
    expect(lines()).toMatchObject([
      { level: 'info', message: 'one', a: 1 },
      { level: 'warn', message: 'two', a: 2 },
      { message: 'three', a: 3 },
      { message: 'four 4', a: 4 },
      { message: 'five', a: 5 },
      { level: 'unheard', message: 'six', a: 6 },
      { message: 'seven', a: 7 },
    ])
  })

  it('takes errors in every place, leaves them as they were, and tells their causes', () => {
    const { logger, lines } = setup()
    const error = Object.freeze(
      Object.assign(new Error('out', { cause: new Error('in') }), { code: 'E' }),
    )
    logger.error(error)
    logger.error('failed', error)
    logger.error('failed', { error, player: 1 })
    logger.child({ a: 1 }).error(error)
    for (const line of lines())
      expect(line['error']).toMatchObject({
        headline: 'Error: out',
        fields: { code: 'E' },
        cause: { headline: 'Error: in' },
      })
  })

  it('never writes secrets: not in fields, children, errors, nor to other transports', () => {
    const seen: unknown[] = []
    const other = new winston.transports.Stream({
      stream: new Writable({
        write(chunk: Buffer, _encoding, done) {
          seen.push(chunk.toString())
          done()
        },
      }),
    })
    const { logger, stream } = setup({ redact: ['password', 'ticket'], transports: [other] })
    const secret = 'hunter2'
    logger.child({ Password: secret }).info('in', { deep: [{ ticket: secret }] })
    logger.error(Object.assign(new Error('x'), { ticket: secret }))
    logger.write({ level: 'info', message: 'raw', password: secret })
    logger.info('token', { token: 'shown, because the list is given' })
    const text = stream.text() + String(seen)
    expect(text).not.toContain(secret)
    expect(text.match(/<redacted>/g)!.length).toBeGreaterThanOrEqual(6)
    expect(text).toContain('shown')
    expect(seen).toHaveLength(4)
  })

  it('hides the usual secrets without being told', () => {
    const { logger, stream } = setup()
    logger.info('x', {
      password: 'p',
      secret: 'p',
      token: 'p',
      ticket: 'p',
      Authorization: 'p',
      cookie: 'p',
    })
    expect(stream.text()).not.toContain('"p"')
  })

  it('does nothing with a line that nobody wants, and survives one that cannot be read', () => {
    const { logger, lines } = setup()
    const trap = {
      get broken(): string {
        throw new Error('read')
      },
    }
    logger.debug('not wanted', trap)
    logger.info('wanted', trap)
    expect(lines()).toMatchObject([{ message: 'wanted', broken: '<unreadable>' }])
  })

  it('can be silent, and without any output', () => {
    const { logger, lines } = setup()
    logger.silent = true
    logger.error('x')
    expect(lines()).toEqual([])
    const mute = createLogger({ name: 'mute', console: false })
    mute.error('x')
    expect(mute.stats().fileLines).toBe(0)
  })
})

describe('colours', () => {
  const line = (stream: PassThrough & { text(): string }, colors?: boolean): string => {
    const options = colors === undefined ? { stream } : { stream, colors }
    createLogger({ name: 'game', console: options }).info('x')
    return stream.text()
  }

  it('are there on a terminal or when asked for', () => {
    expect(line(sink())).not.toContain('\u001B')
    expect(line(sink(), true)).toContain('\u001B[32mINFO ')
    expect(line(Object.assign(sink(), { isTTY: true }))).toContain('\u001B[32mINFO ')
    expect(line(Object.assign(sink(), { isTTY: true, hasColors: () => false }))).not.toContain(
      '\u001B',
    )
    expect(line(Object.assign(sink(), { isTTY: true }), false)).not.toContain('\u001B')
  })
})

describe('the console', () => {
  it('holds no more than allowed for a slow reader, and tells how many lines it dropped', () => {
    const stream = new PassThrough({ highWaterMark: 1 })
    const { logger } = setup({ console: { stream, format: 'json', maxBufferedBytes: 2000 } })
    for (let index = 0; index < 200; index += 1) logger.info(`line ${index}`)
    const { consoleDropped } = logger.stats()
    expect(consoleDropped).toBeGreaterThan(100)
    expect(stream.writableLength + stream.readableLength).toBeLessThan(3000)
    const text = [...Array.from({ length: 100 }, () => String(stream.read() ?? ''))].join('')
    expect(text).toContain('"line 0"')
    logger.info('after')
    const rest = [...Array.from({ length: 10 }, () => String(stream.read() ?? ''))].join('')
    expect(rest).toContain(`"dropped":${consoleDropped}`)
    expect(rest).toContain('"after"')
  })

  it('is given up when it fails, once for all logs of the stream, and told to onError', () => {
    const errors: LogError[] = []
    const stream = new Writable({ write: (_chunk, _encoding, done) => done() })
    const options = { console: { stream }, onError: (error: LogError) => void errors.push(error) }
    const { logger } = setup(options)
    setup(options)
    stream.emit('error', Object.assign(new Error('i/o error'), { code: 'EIO' }))
    stream.emit('error', Object.assign(new Error('again'), { code: 'EIO' }))
    logger.info('to nobody')
    expect(errors.map(({ code }) => code)).toEqual(['LOG_CONSOLE_FAILED', 'LOG_CONSOLE_FAILED'])
  })

  it('is given up in silence when its reader went away', () => {
    const errors: LogError[] = []
    const stream = new Writable({
      write: (_chunk, _encoding, done) =>
        done(Object.assign(new Error('broken pipe'), { code: 'EPIPE' })),
    })
    const { logger } = setup({ console: { stream }, onError: (error) => void errors.push(error) })
    logger.info('x')
    logger.info('y')
    expect(errors).toEqual([])
  })

  it('puts one listener on a stream, however many logs write to it', () => {
    const stream = sink()
    for (let index = 0; index < 50; index += 1) setup({ console: { stream } })
    expect(stream.listenerCount('error')).toBeLessThan(3)
  })
})

describe('the file', () => {
  it('is named after the log and the day, rotates with the time, and tells so', async () => {
    await using scratch = await scratchFolder()
    const rotations: string[] = []
    const { logger, clock } = setup({
      utc: true,
      file: {
        folder: scratch.path,
        onRotate: async ({ from, to }) => void rotations.push(`${from} ${to}`),
      },
    })
    for (let day = 0; day < 5; day += 1) {
      logger.info(`day ${day}`)
      await clock.advance(24 * 3_600_000)
    }
    await logger[Symbol.asyncDispose]()
    expect((await readdir(scratch.path)).sort()).toEqual(
      [22, 23, 24, 25, 26].map((day) => `game.2026-11-${day}.log`),
    )
    expect(await readFile(join(scratch.path, 'game.2026-11-24.log'), 'utf8')).toBe(
      '2026-11-24T12:00:00.000Z INFO  game  day 2\n',
    )
    expect(rotations).toHaveLength(4)
  })

  it('tells its failures to onError, which may fail itself', async () => {
    await using scratch = await scratchFolder()
    await writeFile(join(scratch.path, 'file'), '')
    const errors: LogError[] = []
    const { logger } = setup({
      file: { folder: join(scratch.path, 'file') },
      onError: async (error) => {
        errors.push(error)
        throw new Error('and this one too')
      },
    })
    logger.info('x')
    logger.close()
    expect(errors).toMatchObject([{ code: 'LOG_OPEN_FAILED' }])
    expect(logger.stats()).toMatchObject({ fileLines: 1, fileFailures: 1 })
  })

  it('ends with the log: later lines are counted, not written', async () => {
    await using scratch = await scratchFolder()
    const { logger } = setup({ file: { folder: scratch.path } })
    const exitListeners = process.listenerCount('exit')
    logger.info('x')
    expect(logger.close()).toBe(logger)
    logger.info('y')
    expect(process.listenerCount('exit')).toBeLessThanOrEqual(exitListeners)
    expect(logger.stats()).toMatchObject({ fileLines: 1 })
    await logger.flush()
  })
})

describe('options', () => {
  it.each<[Partial<LoggerOptions>, string]>([
    [{ name: '' }, 'name must be a text'],
    [{ level: 'loud' as never }, 'level must be one of error, warn, info'],
    [{ places: 'some' as never }, 'places must be one of none, warn, all'],
    [{ console: { level: 'x' as never } }, 'console.level must be one of'],
    [{ console: { format: 'xml' as never } }, 'console.format must be one of text, json'],
    [
      { console: { maxBufferedBytes: 0 } },
      'console.maxBufferedBytes must be a whole number from 1',
    ],
    [{ file: { folder: '' } }, 'file.folder must be a path'],
    [{ file: { folder: 'x', tag: '../a' } }, 'file.tag must be letters'],
    [{ name: 'a/b', file: { folder: 'x' } }, 'file.tag must be letters'],
    [
      { file: { folder: 'x', period: 'week' as never } },
      'file.period must be one of day, hour, minute',
    ],
    [{ file: { folder: 'x', keep: 0 } }, 'file.keep must be a whole number from 1'],
    [{ file: { folder: 'x', flushIntervalMs: -1 } }, 'file.flushIntervalMs must be a whole number'],
    [{ file: { folder: 'x', maxBufferedBytes: 1.5 } }, 'file.maxBufferedBytes must be a whole'],
  ])('refuses %j', (options, message) => {
    expect(() => createLogger({ name: 'game', ...options })).toThrow(RangeError)
    expect(() => createLogger({ name: 'game', ...options })).toThrow(message)
  })
})
