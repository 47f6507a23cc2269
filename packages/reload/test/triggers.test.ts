import { eventually } from '@rts/testing'
import { describe, expect, it } from 'vitest'
import type { ReloadReport, ReloadSummary, RemoteReload } from '../src/index.ts'
import { HotApp, native } from './hot-app.ts'

const RULE =
  'export function rule(): number { return 1 }\nexport const held = { now: () => rule() }\n'

describe('watch', () => {
  it('reloads once after a burst of saves, follows new folders, and stops', async () => {
    await using app = await HotApp.open({ 'rule.ts': RULE })
    const { held } = await app.import('rule.ts')
    const module = await app.import('rule.ts')
    const reports: ReloadReport[] = []
    const stop = native.watch(app.reloader, {
      debounceMs: 20,
      onReload: (one) => reports.push(one),
    })
    for (const n of [2, 3, 4]) app.write({ 'rule.ts': RULE.replace('1', String(n)) })
    await eventually(() => expect(module.rule()).toBe(4))
    expect(held.now()).toBe(1)
    app.write({ 'deep/new.ts': 'export const n = 10' })
    app.write({ 'rule.ts': `import { n } from './deep/new.ts'\n${RULE.replace('1', 'n')}` })
    await eventually(() => expect(module.rule()).toBe(10))
    app.write({ 'deep/new.ts': 'export const n = 11' })
    await eventually(() => expect(module.rule()).toBe(11))
    app.write({ 'deep/new.ts': 'export const n = ' })
    await eventually(() => expect(reports.at(-1)).toMatchObject({ ok: false }))
    expect(module.rule()).toBe(11)
    stop()
  })
})

describe('watch, begun late', () => {
  it('finds what was saved between the loading of a file and its own start', async () => {
    await using app = await HotApp.open({ 'rule.ts': RULE })
    const module = await app.import('rule.ts')
    app.write({ 'rule.ts': RULE.replace('1', '2') })
    const stop = native.watch(app.reloader, { debounceMs: 0 })
    await eventually(() => expect(module.rule()).toBe(2))
    stop()
  })
})

describe('a signal', () => {
  it('reloads', async () => {
    await using app = await HotApp.open({ 'rule.ts': RULE })
    const module = await app.import('rule.ts')
    const reports: ReloadReport[] = []
    const undo = native.reloadOnSignal(app.reloader, 'SIGUSR2', (one) => reports.push(one))
    app.write({ 'rule.ts': RULE.replace('1', '2') })
    process.emit('SIGUSR2', 'SIGUSR2')
    await eventually(() => expect(reports).toHaveLength(1))
    expect(module.rule()).toBe(2)
    undo()
    expect(process.listenerCount('SIGUSR2')).toBe(0)
  })
})

describe('the service', () => {
  it('is open to administrators alone and answers with what can travel', async () => {
    await using app = await HotApp.open({ 'rule.ts': RULE })
    await app.import('rule.ts')
    const service = new native.ReloadService(app.reloader, () => 0.25)
    expect(new Set(Object.values(native.ReloadService.rpc))).toEqual(new Set(['admin']))
    app.write({ 'rule.ts': RULE.replace('1', '2') })
    const summary = await service.incremental()
    expect(JSON.parse(JSON.stringify(summary))).toEqual(summary)
    expect(summary).toMatchObject({ ok: true, version: 2, failure: null })
    expect(service.status()).toMatchObject({ version: 2, files: 1 })
    expect(service.health()).toEqual({ version: 2, errorRate: 0.25 })
    expect((await service.full()).ok).toBe(true)
    expect((await service.rollback()).ok).toBe(true)
    expect((await service.rollback()).ok).toBe(true)
    expect((await service.rollback()).failure?.code).toBe('RELOAD_NOTHING_TO_ROLL_BACK')
  })
})

describe('a canary', () => {
  const summary = (ok: boolean, files = 1): ReloadSummary => ({
    ok,
    kind: 'incremental',
    version: 2,
    files: Array.from({ length: files }, () => ({ file: 'a.ts', version: 2 })),
    classes: [],
    warnings: [],
    failure: ok ? null : { code: 'RELOAD_SYNTAX', message: 'no' },
    applyMs: 0,
  })
  const nodes = (
    rates: readonly number[],
    fails = '',
  ): { log: string[]; map: Map<string, RemoteReload> } => {
    const log: string[] = []
    let asked = 0
    const map = new Map(
      ['a', 'b', 'c'].map((name) => [
        name,
        {
          incremental: async () => {
            log.push(`reload ${name}`)
            return summary(name !== fails)
          },
          rollback: async () => {
            log.push(`undo ${name}`)
            return summary(true)
          },
          health: async () => ({ version: 1, errorRate: rates[asked++] ?? 0 }),
        },
      ]),
    )
    return { log, map }
  }
  const clock = {
    now: () => 0,
    setTimer: (_: number, fn: () => void) => (queueMicrotask(fn), () => {}),
    defer: () => {},
  }
  const options = { watchMs: 3, sampleMs: 1, clock }

  it('reloads the rest when the first one holds', async () => {
    const { log, map } = nodes([0.1, 0.1, 0.1, 0.1])
    expect(await native.canary(map, options)).toMatchObject({
      outcome: 'reloaded',
      reloaded: ['a', 'b', 'c'],
    })
    expect(log).toEqual(['reload a', 'reload b', 'reload c'])
  })

  it('returns the first one when its error rate rises', async () => {
    const { log, map } = nodes([0.1, 0.1, 0.2])
    expect(await native.canary(map, options)).toMatchObject({
      outcome: 'rolled-back',
      reloaded: [],
    })
    expect(log).toEqual(['reload a', 'undo a'])
  })

  it('returns all when a later one refuses, and none when the first one does', async () => {
    const later = nodes([], 'c')
    expect((await native.canary(later.map, options)).outcome).toBe('rolled-back')
    expect(later.log).toEqual(['reload a', 'reload b', 'reload c', 'undo b', 'undo a'])
    const first = nodes([], 'a')
    expect((await native.canary(first.map, options)).outcome).toBe('refused')
    expect(first.log).toEqual(['reload a'])
  })

  it('returns what it reloaded when it is aborted', async () => {
    const { log, map } = nodes([])
    const abort = new AbortController()
    const slow = { ...clock, setTimer: () => (abort.abort(new Error('stop')), () => {}) }
    expect(
      await native.canary(map, { ...options, clock: slow, signal: abort.signal }),
    ).toMatchObject({ outcome: 'rolled-back', reason: 'stop' })
    expect(log).toEqual(['reload a', 'undo a'])
  })
})

describe('live edit', () => {
  it('replaces function bodies, those of held functions too, and refuses more than that', async () => {
    const text = 'export function f(): number { return 1 }\nexport const table = { f }\n'
    await using app = await HotApp.open({ 'm.ts': text })
    const { f, table } = await app.import('m.ts')
    expect([f(), table.f()]).toEqual([1, 1])
    app.write({ 'm.ts': text.replace('1', '2') })
    expect(native.liveEdit(app.reloader, app.path('m.ts'))).toEqual({ ok: true, status: 'Ok' })
    expect([f(), table.f()]).toEqual([2, 2])
    app.write({
      'm.ts': `${text}export function g() {}\nlet other = 1\nexport const h = () => other`,
    })
    expect(native.liveEdit(app.reloader, app.path('m.ts')).ok).toBe(false)
    expect(f()).toBe(2)
    expect(() => native.liveEdit(app.reloader, '/none.ts')).toThrow('not a hot module')
  })

  it('edits what runs: after a reload that failed too, and arrows to their end', async () => {
    const text = (n: number): string => `export const f = () => ${n}\nexport const table = { f }\n`
    await using app = await HotApp.open({ 'm.ts': text(1) })
    const { f } = await app.import('m.ts')
    app.write({ 'm.ts': `${text(5)}throw new Error('no')` })
    expect((await app.reloader.incremental()).ok).toBe(false)
    app.write({ 'm.ts': text(2) })
    expect(native.liveEdit(app.reloader, app.path('m.ts')).status).toBe('Ok')
    expect(f()).toBe(2)
    app.write({ 'm.ts': text(3) })
    expect(native.liveEdit(app.reloader, app.path('m.ts')).status).toBe('Ok')
    expect(f()).toBe(3)
    // And the next reload takes the file as it is.
    await app.reloader.incremental()
    expect((await app.import('m.ts')).f()).toBe(3)
  })

  it('refuses what V8 would do in part or not at all', async () => {
    const text = (n: number, filler = ''): string =>
      `export function f() { return ${n}${filler} }\nexport function g() { return 1 }\n`
    await using app = await HotApp.open({ 'm.ts': text(1) })
    const module = await app.import('m.ts')
    const status = (): string => native.liveEdit(app.reloader, app.path('m.ts')).status
    app.write({ 'm.ts': text(2, ` + 0 /* ${'long '.repeat(200)} */`) })
    expect([status(), module.f()]).toEqual(['BlockedByLongChange', 1])
    await app.edit({ 'm.ts': text(2) })
    await app.reloader.rollback()
    app.write({ 'm.ts': text(3) })
    expect([status(), module.f()]).toEqual(['BlockedBySecondEvaluation', 1])
    await app.reloader.incremental()
    app.write({ 'm.ts': text(4) })
    expect([status(), module.f()]).toEqual(['Ok', 4])
  })
})
