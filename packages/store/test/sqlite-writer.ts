// A process of its own that saves to a file until it is told to stop, or killed.
// node sqlite-writer.ts FILE NAME BATCH: prints after each batch the version it reached.
import { SqliteStore } from '../src/index.ts'

const [file = '', name = '', batchSize = '1'] = process.argv.slice(2)
const store = new SqliteStore({ file })
const told = new AbortController()
process.stdin.on('data', () => told.abort())

for (let version = 0; !told.signal.aborted; version += 1) {
  const batch = Array.from({ length: Number(batchSize) }, (_, index) => ({
    type: 'avatar',
    id: `${name}:${index}`,
    version,
    fence: 1,
    data: { version, filler: 'x'.repeat(200) },
  }))
  const results = await store.save(batch)
  if (results.some((result) => !result.saved)) {
    throw new Error(`not saved: ${JSON.stringify(results)}`)
  }
  process.stdout.write(`${version + 1}\n`)
  // Lets stdin be read.
  await new Promise((resolve) => setImmediate(resolve))
}
await store.close()
process.stdin.destroy()
