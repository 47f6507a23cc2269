// A running app that is edited and reloaded, against a fresh load of the same text with the migrated state.
import { writeFileSync } from 'node:fs'
import { deepStrictEqual } from 'node:assert'
import { join } from 'node:path'
import { seededRandom } from '@rts/testing'
import type { Reloader } from '../src/index.ts'
import { type GeneratedModule, behaviour, edit, generate, save, textOf } from './app-generator.ts'

type Module = Record<string, unknown>
type Maker = new () => object

export interface OracleOptions {
  readonly folder: (name: string) => string
  readonly createReloader: (folder: string) => Reloader
  readonly seed: number
  readonly modules: number
  readonly edits: number
}

function write(folder: string, modules: readonly GeneratedModule[]): void {
  for (const [index, module] of modules.entries())
    writeFileSync(join(folder, `m${index}.ts`), textOf(module, index))
}

const load = (reloader: Reloader, folder: string, count: number): Promise<Module[]> =>
  Promise.all(
    Array.from({ length: count }, (_, index) => reloader.import(join(folder, `m${index}.ts`))),
  )

const classOf = (modules: readonly Module[], index: number): Maker =>
  modules[index]![`C${index}`] as Maker

/** One sequence of edits; throws where the reloaded process and a fresh one differ. Returns the reloads made. */
export async function followEdits(options: OracleOptions): Promise<number> {
  const { seed, modules: count } = options
  const random = seededRandom(seed)
  let program = generate(random, count)
  const folder = options.folder(`live-${seed}`)
  write(folder, program)
  const reloader = options.createReloader(folder)
  const live = await load(reloader, folder, count)
  const instances = Array.from({ length: count * 2 }, (_, index) => {
    const Class = classOf(live, index % count)
    return { module: index % count, instance: new Class() }
  })
  for (let step = 0; step < options.edits; step += 1) {
    const index = random.int(count)
    program = program.map((module, at) => (at === index ? edit(random, module, at) : module))
    const isBroken = random.int(10) === 0
    write(folder, program)
    if (isBroken) {
      const expected = behaviour(instances.map(({ instance }) => instance))
      writeFileSync(
        join(folder, `m${index}.ts`),
        `${textOf(program[index]!, index)}\nthrow new Error('broken')`,
      )
      const report = await reloader.incremental()
      if (report.ok) throw new Error(`seed ${seed}, step ${step}: a broken edit was accepted`)
      deepStrictEqual(behaviour(instances.map(({ instance }) => instance)), expected)
      write(folder, program)
    }
    const report = random.int(4) === 0 ? await reloader.full() : await reloader.incremental()
    if (!report.ok) throw report.failure!.cause
    // What a new parent would have given is missing in instances from before: the report must have said so.
    const isTold = report.warnings.some(
      ({ kind }) => kind === 'parent-changed' || kind === 'private-reset',
    )
    for (const { instance } of instances)
      for (const [at, secret] of save(instance, count)) {
        if (secret !== undefined) continue
        if (!isTold)
          throw new Error(`seed ${seed}, step ${step}: a difference that is not in the report`)
        ;(instance as Record<string, (value: number) => void>)[`load${at}`]!(at)
      }
    for (const { module, instance } of instances)
      (instance as Record<string, () => number>)[`own${module}`]!()
    const fresh = options.folder(`fresh-${seed}-${step}`)
    write(fresh, program)
    const other = options.createReloader(fresh)
    try {
      const restarted = await load(other, fresh, count)
      const migrated = instances.map(({ module, instance }) => {
        const copy = new (classOf(restarted, module))() as Record<string, (value: number) => void>
        for (const [at, secret] of save(instance, count)) copy[`load${at}`]!(secret!)
        return copy
      })
      const context = `seed ${seed}, step ${step}, module ${index}`
      const stateful = instances.map(({ instance }) => instance)
      deepStrictEqual(behaviour(stateful), behaviour(migrated), context)
      const made = (from: readonly Module[]): object[] =>
        program.map((_, at) => new (classOf(from, at))())
      deepStrictEqual(
        behaviour(made(live)),
        behaviour(made(restarted)),
        `${context}, new instances`,
      )
      for (const { module, instance } of instances)
        if (!(instance instanceof classOf(live, module)))
          throw new Error(`${context}: identity lost`)
    } finally {
      other.close()
    }
  }
  reloader.close()
  return options.edits
}
