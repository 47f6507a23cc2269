// The arena's programs:
//   main.ts demo [--seconds 10] [--bots 10]     everything in this process, nothing else needed
//   main.ts cluster [--seconds 10] [--bots 10]  a process for each node, on a real etcd, watched and restarted
//   main.ts --role game --id game_1             one node as this process, on the etcd of the configuration
import { enableCompileCache } from 'node:module'

// Before anything else is imported: from the second start on, a process starts faster and idles 15 to 25 MB lighter.
enableCompileCache()

try {
  const { run } = await import('./program.ts')
  process.exitCode = await run()
} catch (error) {
  const { code } = error as { code?: unknown }
  console.error(
    `${typeof code === 'string' ? `${code}: ` : ''}${error instanceof Error ? error.message : String(error)}`,
  )
  process.exitCode = 1
}
