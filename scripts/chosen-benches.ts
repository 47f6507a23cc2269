import { basename, dirname } from 'node:path'

/** The name a bench goes by. */
export const nameOf = (file: string): string => basename(file, '.bench.ts')

/**
 * What `pnpm bench NAME` runs: the bench of that name, with those beside it whose names begin with it and a dash. The
 * name of a file, `kcp.bench.ts`, is that one alone; no name is all.
 */
export function chosenBenches(all: readonly string[], name: string | undefined): string[] {
  if (name === undefined) return [...all]
  if (name.endsWith('.bench.ts')) return all.filter((file) => basename(file) === name)
  const folders = new Set(all.filter((file) => nameOf(file) === name).map((file) => dirname(file)))
  return all.filter(
    (file) => folders.has(dirname(file)) && `${nameOf(file)}-`.startsWith(`${name}-`),
  )
}

/** Several benches write a file each: `out.json` becomes `out.kcp-sockets.json`. */
export function flagsFor(flags: readonly string[], file: string, isOneOfMany: boolean): string[] {
  const at = flags.indexOf('--json') + 1
  if (at === 0 || !isOneOfMany) return [...flags]
  const path = flags[at] ?? 'bench.json'
  return [
    ...flags.slice(0, at),
    path.replace(/(\.json)?$/, `.${nameOf(file)}.json`),
    ...flags.slice(at + 1),
  ]
}
