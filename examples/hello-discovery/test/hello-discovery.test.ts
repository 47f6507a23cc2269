import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { eventually, serviceUrl } from '@rts/testing'
import { describe, expect, test } from 'vitest'

function run(args: readonly string[], etcd: string | undefined) {
  const { ETCD_URL: _, ...env } = process.env
  const child = spawn(process.execPath, ['--conditions=@rts/source', 'src/main.ts', ...args], {
    cwd: join(import.meta.dirname, '..'),
    env: { ...env, NO_COLOR: '1', ...(etcd === undefined ? {} : { ETCD_URL: etcd }) },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  return {
    output: () => output,
    stop: () => {
      child.kill('SIGTERM')
      return ended
    },
    [Symbol.dispose]: () => void child.kill('SIGKILL'),
  }
}

/** The last line of counts. */
function lastCounts(output: string): Record<string, number> {
  const line = output.split('\n').findLast((each) => each.startsWith('{')) ?? ''
  return Object.fromEntries(
    [...line.matchAll(/(w\d): (\d+)/g)].map(([, id, count]) => [id!, Number(count)]),
  )
}

test('in one process the slow worker gets what it can do', async () => {
  using all = run([], undefined)
  await eventually(() => all.output().split('\n').length > 4, { timeoutMs: 30_000 })
  const { w1 = 0, w2 = 0, w3 = 0 } = lastCounts(all.output())
  expect(w1 + w2 + w3).toBeGreaterThan(50)
  expect(w3).toBeLessThan((w1 + w2) / 2)
  expect(await all.stop(), all.output()).toBe(0)
})

describe.skipIf(serviceUrl('etcd') === undefined)('over etcd', () => {
  test('a worker of another process joins and leaves', async () => {
    const etcd = serviceUrl('etcd')
    using all = run([], etcd)
    await eventually(() => lastCounts(all.output())['w1'] !== undefined, { timeoutMs: 30_000 })
    using fourth = run(['--worker', 'w4'], etcd)
    await eventually(() => lastCounts(all.output())['w4'] !== undefined, { timeoutMs: 30_000 })
    expect(await fourth.stop(), fourth.output()).toBe(0)
    const seen = all.output().length
    await eventually(() => all.output().slice(seen).split('\n').length > 3, { timeoutMs: 30_000 })
    expect(lastCounts(all.output())).not.toHaveProperty('w4')
    expect(await all.stop(), all.output()).toBe(0)
  })
})
