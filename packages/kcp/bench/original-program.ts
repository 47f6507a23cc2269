import { existsSync } from 'node:fs'
import { join } from 'node:path'

/**
 * A program over the C original, by the name of its source in this folder: `ikcp-pair` or `ikcp-link`, linked with
 * `ikcp.c` and put into the folder `IKCP_PROGRAMS` by whoever has that. Says what is skipped when there is none.
 */
export function originalProgram(name: 'ikcp-pair' | 'ikcp-link'): string | undefined {
  const folder = process.env['IKCP_PROGRAMS']
  const program = folder === undefined ? undefined : join(folder, name)
  if (program !== undefined && existsSync(program)) return program
  console.log(`skipped: the C original, as there is no program ${name} in the folder IKCP_PROGRAMS`)
  return undefined
}
