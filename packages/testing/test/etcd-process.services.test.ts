import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { EtcdProcess, eventually, serviceBinary } from '../src/index.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64')

interface Answer {
  readonly header: { readonly cluster_id: string }
  readonly kvs?: readonly { readonly value: string }[]
  readonly TTL?: string
}

/** One call of etcd's HTTP gateway. */
async function call(etcd: EtcdProcess, path: string, body: unknown): Promise<Answer> {
  const response = await fetch(`${etcd.url}/v3/${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(15_000),
  })
  return (await response.json()) as Answer
}
const put = (etcd: EtcdProcess, key: string, value: string): Promise<Answer> =>
  call(etcd, 'kv/put', { key: base64(key), value: base64(value) })
const range = (etcd: EtcdProcess, key: string): Promise<Answer> =>
  call(etcd, 'kv/range', { key: base64(key) })
const get = async (etcd: EtcdProcess, key: string): Promise<string | undefined> => {
  const [first] = (await range(etcd, key)).kvs ?? []
  return first && Buffer.from(first.value, 'base64').toString()
}
const clusterId = async (etcd: EtcdProcess): Promise<string> =>
  (await range(etcd, 'x')).header.cluster_id

describe.skipIf(!serviceBinary('etcd'))('an etcd of its own', () => {
  test('serves, two side by side, and is gone with its folder when disposed', async () => {
    let folder: string
    let url: string
    {
      await using one = await EtcdProcess.start()
      await using two = await EtcdProcess.start()
      folder = one.folder
      url = one.url
      await put(one, 'a', '1')
      expect([await get(one, 'a'), await get(two, 'a')]).toEqual(['1', undefined])
      expect(one.version).toMatch(/^\d+\.\d+\.\d+$/)
    }
    expect(existsSync(folder)).toBe(false)
    await expect(fetch(url)).rejects.toThrow('fetch failed')
  })

  test('keeps its data over a kill and a restart, at the same URL', async () => {
    await using etcd = await EtcdProcess.start()
    await put(etcd, 'a', '1')
    await etcd.kill()
    expect(etcd.isRunning).toBe(false)
    await expect(put(etcd, 'a', '2')).rejects.toThrow('fetch failed')
    await etcd.restart()
    expect(await get(etcd, 'a')).toBe('1')
  })

  test('an empty restart is another cluster', async () => {
    await using etcd = await EtcdProcess.start()
    await put(etcd, 'a', '1')
    const before = await clusterId(etcd)
    await etcd.restart({ empty: true })
    expect(await get(etcd, 'a')).toBeUndefined()
    expect(await clusterId(etcd)).not.toBe(before)
  })

  test('paused, it answers nothing and refuses nothing; resumed, it goes on', async () => {
    await using etcd = await EtcdProcess.start()
    etcd.pause()
    const hung = fetch(`${etcd.url}/health`, { signal: AbortSignal.timeout(200) })
    await expect(hung).rejects.toThrow('timeout')
    const late = fetch(`${etcd.url}/health`)
    etcd.resume()
    expect(await (await late).json()).toEqual({ health: 'true' })
  })

  test('from the return of pause on, no thread of it runs', async () => {
    await using etcd = await EtcdProcess.start()
    for (let round = 0; round < 20; round += 1) {
      etcd.pause()
      const tasks = `/proc/${etcd.pid}/task`
      const states = existsSync(tasks)
        ? readdirSync(tasks).map((thread) => readFileSync(`${tasks}/${thread}/stat`, 'latin1'))
        : []
      for (const state of states) expect(state).toMatch(/\) T /)
      etcd.resume()
      expect((await call(etcd, 'lease/grant', { TTL: '1' })).TTL).toBe('1')
    }
  })

  test('a paused one can be stopped', async () => {
    const etcd = await EtcdProcess.start()
    etcd.pause()
    await etcd.stop()
    await etcd.stop()
    expect(etcd.isRunning).toBe(false)
  })

  test('grants leases of one second', async () => {
    await using etcd = await EtcdProcess.start()
    expect((await call(etcd, 'lease/grant', { TTL: '1' })).TTL).toBe('1')
  })

  test('one that does not come up says why', async () => {
    const failure = EtcdProcess.start({ args: ['--no-such-flag'] })
    await expect(failure).rejects.toMatchObject({
      code: 'TESTING_SERVICE_FAILED',
      message: expect.stringContaining('no-such-flag') as string,
    })
    const nothing = EtcdProcess.start({ binary: '/nonexistent/etcd' })
    await expect(nothing).rejects.toThrow('ENOENT')
  })

  test.each(['SIGKILL', 'SIGTERM', 'exit'] as const)(
    'does not outlive a process that ends by %s, paused or not',
    async (ending) => {
      const source = new URL('../src/index.ts', import.meta.url).href
      const script = `
        const { EtcdProcess } = await import(${JSON.stringify(source)})
        const [one, two] = await Promise.all([EtcdProcess.start(), EtcdProcess.start()])
        two.pause()
        console.log(JSON.stringify([one, two].map(({ pid, folder }) => ({ pid, folder }))))
        if (${JSON.stringify(ending)} === 'exit') process.exit()
        setInterval(() => {}, 1000)`
      const parent = spawn(process.execPath, ['--input-type=module', '-e', script])
      let output = ''
      parent.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
      await eventually(() => output.includes('\n'), { timeoutMs: 15_000 })
      if (ending !== 'exit') parent.kill(ending)
      for (const { pid, folder } of JSON.parse(output) as { pid: number; folder: string }[]) {
        const isGone = (): void => expect(() => process.kill(pid, 0)).toThrow('ESRCH')
        await eventually(isGone, { timeoutMs: 15_000 })
        await eventually(() => !existsSync(folder), { timeoutMs: 15_000 })
      }
    },
    60_000,
  )
})
