import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

test('the first example of the README runs as it stands', () => {
  const folder = new URL('..', import.meta.url)
  const readme = readFileSync(new URL('README.md', folder), 'utf8')
  const example = /```ts\n(.*?)```/s.exec(readme)?.[1] ?? 'throw new Error("no example")'
  const run = spawnSync(
    process.execPath,
    ['--conditions=@rts/source', '--input-type=module-typescript', '-e', example],
    { cwd: folder, encoding: 'utf8', timeout: 10_000 },
  )
  expect(run.stderr).toBe('')
  expect(run.status).toBe(0)
})
