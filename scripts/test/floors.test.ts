import { expect, test } from 'vitest'
import { packages } from '../workspace.ts'

// The house: a package may stand on those named here and on nothing else of ours.
const MAY_STAND_ON: Readonly<Record<string, readonly string[]>> = {
  json5x: [],
  timer: [],
  log: [],
  ecs: [],
  kcp: [],
  session: [],
  testing: [],
  rpc: ['kcp'],
  discovery: [],
  store: [],
  http: [],
  reload: ['json5x'],
  cluster: ['rpc', 'discovery'],
  gate: ['session', 'rpc', 'kcp'],
  client: ['session', 'rpc'],
  bots: [],
}
const FLOOR: Readonly<Record<string, number>> = {
  json5x: 0,
  timer: 0,
  log: 0,
  ecs: 0,
  kcp: 0,
  session: 0,
  rpc: 1,
  discovery: 1,
  store: 1,
  http: 1,
  reload: 1,
  cluster: 2,
  gate: 2,
  client: 2,
  bots: 3,
}

const ours = (dependencies: Readonly<Record<string, string>> = {}): string[] =>
  Object.keys(dependencies)
    .filter((name) => name.startsWith('@rts/'))
    .map((name) => name.slice('@rts/'.length))

for (const { name, manifest } of packages().filter(({ manifest }) => manifest.private !== true)) {
  test(`@rts/${name} depends only on the packages below it that the design names`, () => {
    const allowed = MAY_STAND_ON[name]
    expect(allowed, `${name} is not in the list of packages`).toBeDefined()
    const needed = [...ours(manifest.dependencies), ...ours(manifest.peerDependencies)]
    expect(needed.filter((other) => !allowed?.includes(other))).toEqual([])
  })

  test(`@rts/${name} needs for its tests only @rts/testing and packages of lower floors`, () => {
    const sideways = ours(manifest.devDependencies).filter(
      (other) => other !== 'testing' && (FLOOR[other] ?? 9) >= (FLOOR[name] ?? 0),
    )
    expect(sideways).toEqual([])
  })
}
