import { expect, test } from 'vitest'
import { canary, type RemoteReload, type ReloadSummary } from '../src/index.ts'

const clock = {
  now: () => 0,
  setTimer: (_: number, fn: () => void) => (queueMicrotask(fn), () => {}),
  defer: () => {},
}
const options = { watchMs: 3, sampleMs: 1, clock }

interface Fake {
  /** Its files, with their hashes; a node without any has nothing to reload. */
  readonly files?: Readonly<Record<string, string>>
  readonly rates?: readonly number[]
  readonly refuses?: string
  readonly lastError?: string
}

function cluster(fakes: Readonly<Record<string, Fake>>) {
  const log: string[] = []
  const summary = ({ files = {}, refuses }: Fake): ReloadSummary => ({
    ok: refuses === undefined,
    kind: 'incremental',
    version: 2,
    files: Object.entries(files).map(([file, hash]) => ({ file, version: 2, hash })),
    classes: [],
    warnings: [],
    failure: refuses === undefined ? null : { code: 'RELOAD_SYNTAX', message: refuses },
    applyMs: 0,
  })
  const nodes = new Map<string, RemoteReload>(
    Object.entries(fakes).map(([name, fake]) => {
      let asked = 0
      const { lastError } = fake
      return [
        name,
        {
          incremental: async () => (log.push(`reload ${name}`), summary(fake)),
          rollback: async () => (log.push(`undo ${name}`), summary({})),
          health: async () => {
            const errorRate = fake.rates?.[asked++] ?? 0
            return { version: 1, errorRate, ...(lastError !== undefined && { lastError }) }
          },
        },
      ]
    }),
  )
  return { log, nodes }
}

const RULES = { 'rules.ts': 'one' }

test('one node of each role comes first; those the change does not concern are not watched', async () => {
  const { log, nodes } = cluster({
    game_1: { files: RULES },
    game_2: { files: RULES },
    gate_1: { rates: [0, 1, 1, 1] },
    lobby_1: { files: RULES },
  })
  let watched: readonly string[] = []
  const result = await canary(nodes, {
    ...options,
    first: ['game_1', 'gate_1', 'lobby_1'],
    onWatch: (names) => (watched = names),
  })
  expect(watched).toEqual(['game_1', 'lobby_1'])
  expect(result).toMatchObject({ outcome: 'reloaded', reloaded: ['game_1', 'lobby_1', 'game_2'] })
  expect(log).toEqual(['reload game_1', 'reload gate_1', 'reload lobby_1', 'reload game_2'])
  expect([...result.summaries.keys()]).toEqual(['game_1', 'gate_1', 'lobby_1', 'game_2'])
})

test('when one of the first refuses, those before it are returned and the rest is not touched', async () => {
  const { log, nodes } = cluster({
    game_1: { files: RULES },
    game_2: { files: RULES },
    lobby_1: { refuses: 'bag.ts:3 is wrong' },
  })
  const result = await canary(nodes, { ...options, first: ['game_1', 'lobby_1'] })
  expect(result).toMatchObject({
    outcome: 'refused',
    reloaded: [],
    reason: 'lobby_1: bag.ts:3 is wrong',
  })
  expect(log).toEqual(['reload game_1', 'reload lobby_1', 'undo game_1'])
})

test('an error rate that rises on any of the first returns them all, and says what failed', async () => {
  const { log, nodes } = cluster({
    game_1: { files: RULES },
    lobby_1: { files: RULES, rates: [0.1, 0.1, 0.5], lastError: 'boom at bag.ts:3' },
    lobby_2: { files: RULES },
  })
  const result = await canary(nodes, { ...options, first: ['game_1', 'lobby_1'] })
  expect(result).toMatchObject({
    outcome: 'rolled-back',
    reason: 'lobby_1: its error rate rose from 10% to 50%: boom at bag.ts:3',
  })
  expect(log).toEqual(['reload game_1', 'reload lobby_1', 'undo lobby_1', 'undo game_1'])
})

test('a file that is changed while the first are watched gets nowhere unwatched', async () => {
  const { log, nodes } = cluster({ a: { files: RULES }, b: { files: { 'rules.ts': 'two' } } })
  const result = await canary(nodes, options)
  expect(result.outcome).toBe('rolled-back')
  expect(result.reason).toContain('rules.ts was changed while')
  expect(log).toEqual(['reload a', 'reload b', 'undo b', 'undo a'])
})

test('a name that is no node is refused', async () => {
  const { nodes } = cluster({ a: {} })
  await expect(canary(nodes, { first: ['b'] })).rejects.toThrow(RangeError)
  await expect(canary(nodes, { first: [] })).rejects.toThrow(RangeError)
})
