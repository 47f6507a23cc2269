// A thread that opens the files it is told of, at the same moment as the others of its kind.
import { parentPort, workerData } from 'node:worker_threads'
import { openFile, isBusy, prepareFile } from '../src/sqlite-file.ts'

const { arrived, threads } = workerData as { arrived: Int32Array; threads: number }

function open(path: string): string {
  const database = openFile(path)
  try {
    for (;;) {
      try {
        prepareFile(database, 'normal')
        return 'open'
      } catch (error) {
        if (!isBusy(error)) return String(error)
      }
    }
  } finally {
    database.close()
  }
}

parentPort?.on('message', (path: string) => {
  const round = Math.floor(Atomics.add(arrived, 0, 1) / threads) + 1
  while (Atomics.load(arrived, 0) < round * threads);
  parentPort?.postMessage(open(path), [])
})
