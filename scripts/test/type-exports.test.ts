import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { expect, test } from 'vitest'
import { packages, root } from '../workspace.ts'

const TYPE_EXPORTS = /export type \{([^}]*)\} from '(\.[^']+)'/g

/** The classes of a file that another exports as types alone. */
function* classesExportedAsTypes(file: string): Generator<string> {
  for (const [, names = '', source = ''] of readFileSync(file, 'utf8').matchAll(TYPE_EXPORTS)) {
    const code = readFileSync(join(dirname(file), source), 'utf8')
    for (const name of names.split(',').map((one) => one.trim().split(' ')[0]!))
      if (name !== '' && new RegExp(`export (abstract )?class ${name}\\b`).test(code)) yield name
  }
}

// The bundled declarations would offer such a class as a value, which is not there: the program compiles and fails.
// `export type Name = import('./file.ts').Name` stays a type.
test('no entry exports a class with `export type { ... } from`', () => {
  const found = packages().flatMap(({ folder }) =>
    globSync(join(folder, 'src', '*.ts')).flatMap((file) =>
      [...classesExportedAsTypes(file)].map((name) => `${relative(root, file)}: ${name}`),
    ),
  )
  expect(found).toEqual([])
})
