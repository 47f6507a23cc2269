import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { scenario } from './fixtures/scenario.ts'

const code = `
import { scenario } from './fixtures/scenario.ts'
process.stdout.write(scenario())
`

test('works the same where compiling text is forbidden', () => {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--disallow-code-generation-from-strings', '--input-type=module', '--eval', code],
    { cwd: import.meta.dirname, encoding: 'utf8' },
  )
  const lines = scenario()
  expect(JSON.parse(lines)).toContainEqual(['Faulty', 'Error: each time'])
  expect(stdout || stderr).toBe(lines)
})
