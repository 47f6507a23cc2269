import { globSync } from 'node:fs'
import { expect, test } from 'vitest'
import { chosenBenches, flagsFor, nameOf } from '../chosen-benches.ts'
import { root } from '../workspace.ts'

const ALL = [
  'packages/a/bench/rpc.bench.ts',
  'packages/kcp/bench/kcp-sockets.bench.ts',
  'packages/kcp/bench/kcp.bench.ts',
  'packages/kcp/bench/kcpx.bench.ts',
  'packages/rpc/bench/rpc-chaos.bench.ts',
]
const names = (name?: string): string[] => chosenBenches(ALL, name).map(nameOf)

test('a name stands for its bench and those beside it that begin with it and a dash, a file for itself', () => {
  expect(names('kcp')).toEqual(['kcp-sockets', 'kcp'])
  expect(names('kcp-sockets')).toEqual(['kcp-sockets'])
  expect(names('kcp.bench.ts')).toEqual(['kcp'])
  expect(names('rpc')).toEqual(['rpc'])
  expect(names('rpc-chaos')).toEqual(['rpc-chaos'])
  expect(names('kc')).toEqual([])
  expect(names()).toEqual(ALL.map(nameOf))
})

test('every bench of the repository can be had alone', () => {
  const all = globSync('packages/*/bench/*.bench.ts', { cwd: root })
  for (const file of all) {
    expect(chosenBenches(all, nameOf(file))).toContain(file)
    expect(chosenBenches(all, `${nameOf(file)}.bench.ts`)).toEqual([file])
  }
})

test('several write a file each', () => {
  const flags = ['--json', 'out/x.json', '--check']
  expect(flagsFor(flags, ALL[1]!, true)).toEqual(['--json', 'out/x.kcp-sockets.json', '--check'])
  expect(flagsFor(flags, ALL[1]!, false)).toEqual(flags)
  expect(flagsFor(['--check'], ALL[1]!, true)).toEqual(['--check'])
  expect(flagsFor(['--json'], ALL[2]!, true)).toEqual(['--json', 'bench.kcp.json'])
})
