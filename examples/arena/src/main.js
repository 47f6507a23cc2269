// The arena's programs:
//   main.js demo [--seconds 10] [--bots 10]     everything in this process, nothing else needed
//   main.js cluster [--seconds 10] [--bots 10] [--watch]  a process for each node, on a real etcd, watched and restarted
//   main.js --role game --id game_1             one node as this process, on the etcd of the configuration
import { enableCompileCache } from 'node:module'

// Before anything else is imported: from the second start on, a process starts faster and idles 30 MB lighter. It is
// JavaScript so that such a start does not even load what strips types.
enableCompileCache()

try {
  const { run } = await import('./program.ts')
  process.exitCode = await run()
} catch (error) {
  const { code, message } = Object(error)
  console.error(`${typeof code === 'string' ? `${code}: ` : ''}${message ?? error}`)
  process.exitCode = 1
}
