import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  eventually,
  provideServices,
  requireService,
  scratchFolder,
  serviceBinary,
  servicesSetup,
  serviceUrl,
} from '../src/index.ts'

const health = async (url: string): Promise<unknown> => (await fetch(`${url}/health`)).json()

describe.skipIf(!serviceUrl('etcd'))('the etcd that was provided to this run', () => {
  test('is healthy', async () => {
    expect(await health(requireService('etcd'))).toEqual({ health: 'true' })
  })
})

describe.skipIf(!serviceBinary('etcd'))('providing etcd by its program', () => {
  const program = serviceBinary('etcd')!
  const env = { ETCD_BINARY: program, PATH: process.env['PATH'] }

  test('starts it on a free port, and stops it', async () => {
    const provided = await provideServices(['etcd'], { env })
    const url = provided.env['ETCD_URL']!
    expect(provided.services).toEqual([
      {
        name: 'etcd',
        url,
        how: expect.stringMatching(/^etcd \d+\.\d+\.\d+, ETCD_BINARY$/) as string,
      },
    ])
    expect(await health(url)).toEqual({ health: 'true' })
    await Promise.all([provided.stop(), provided.stop()])
    await expect(health(url)).rejects.toThrow('fetch failed')
  })

  test('as a global setup of vitest sets the variable and takes it back', async () => {
    const before = process.env['ETCD_URL']
    delete process.env['ETCD_URL']
    try {
      const lines: string[] = []
      const onProgress = (line: string): number => lines.push(line)
      const teardown = await servicesSetup(['etcd'], { env, onProgress })()
      expect(lines).toEqual([expect.stringMatching(/^etcd: etcd \d\S+, ETCD_BINARY$/)])
      const url = requireService('etcd')
      expect(await health(url)).toEqual({ health: 'true' })
      await teardown()
      expect(serviceUrl('etcd')).toBeUndefined()
      await expect(health(url)).rejects.toThrow('fetch failed')
    } finally {
      if (before !== undefined) process.env['ETCD_URL'] = before
    }
  })

  test('falls back to docker, publishes to loopback alone and removes the container', async () => {
    await using folder = await scratchFolder()
    // Takes the place of docker: notes how it was called, and runs the program in a "container".
    const docker = `#!/bin/sh
echo "$*" >> '${folder.path}/calls'
case $1 in
  version) echo 99.0 ;;
  run)
    while [ "$1" != --name ]; do shift; done; name=$2
    while [ "$1" != --publish ]; do shift; done; port=\${2#127.0.0.1:}; port=\${port%:2379}
    '${program}' --data-dir '${folder.path}/data' \
      --listen-client-urls "http://127.0.0.1:$port" --advertise-client-urls "http://127.0.0.1:$port" \
      --listen-peer-urls http://127.0.0.1:0 >/dev/null 2>&1 &
    echo $! > '${folder.path}'/"$name" ;;
  rm) kill -9 "$(cat '${folder.path}'/"$3")"; rm '${folder.path}'/"$3" ;;
esac
`
    await writeFile(join(folder.path, 'docker'), docker, { mode: 0o755 })
    const lines: string[] = []
    const provided = await provideServices(['etcd'], {
      env: { ETCD_BINARY: '/nonexistent', PATH: `${folder.path}:${process.env['PATH']}` },
      onProgress: (line) => lines.push(line),
    })
    const [service] = provided.services
    expect(service).toMatchObject({
      how: expect.stringMatching(/^etcd \d\S+, docker quay.io\/coreos\/etcd:v\d/) as string,
    })
    expect(lines).toEqual([expect.stringMatching(/^starting quay.io.* in docker$/)])
    expect(await health(provided.env['ETCD_URL']!)).toEqual({ health: 'true' })
    await provided.stop()
    await eventually(async () => {
      expect((await readdir(folder.path)).filter((name) => name.startsWith('rts-etcd'))).toEqual([])
    })
  })
})
