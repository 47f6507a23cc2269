import { existsSync } from 'node:fs'
import { join } from 'node:path'

const COMPARED = {
  'ikcp-pair': 'its speed in memory',
  'ikcp-link': 'its latency and bytes on the same links',
} as const
type Program = keyof typeof COMPARED

/**
 * A program over the C original, by the name of its source in this folder, linked with `ikcp.c` and put into the
 * folder `IKCP_PROGRAMS` by whoever has that.
 */
export function originalProgram(name: Program): string | undefined {
  const folder = process.env['IKCP_PROGRAMS']
  const program = folder === undefined ? undefined : join(folder, name)
  return program !== undefined && existsSync(program) ? program : undefined
}

/** Says which comparisons were left out, so that nobody takes them for passed, and how to have them. */
export function reportLeftOut(): void {
  const missing = (Object.keys(COMPARED) as Program[]).filter(
    (name) => originalProgram(name) === undefined,
  )
  for (const name of missing)
    console.log(`- NOT COMPARED with the C original: ${COMPARED[name]}, as there is no ${name}`)
  if (missing.length === 0) return
  console.log(
    [
      '  To compare, with ikcp.c and ikcp.h of github.com/skywind3000/kcp in a folder DIR:',
      ...missing.map(
        (name) => `  cc -O2 -I DIR -o DIR/${name} packages/kcp/bench/${name}.c DIR/ikcp.c -lm`,
      ),
      '  IKCP_PROGRAMS=DIR pnpm bench kcp.bench.ts --check',
    ].join('\n'),
  )
}
