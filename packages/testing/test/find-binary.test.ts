import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { scratchFolder, serviceBinary } from '../src/index.ts'
import { findUnpacked, unpackedName } from '../src/services/find-binary.ts'
import { serviceDescriptions } from '../src/services/service-descriptions.ts'

async function program(...path: readonly string[]): Promise<string> {
  const file = join(...path)
  await mkdir(join(file, '..'), { recursive: true, mode: 0o700 })
  await writeFile(file, '#!/bin/sh\n', { mode: 0o755 })
  return file
}

test('takes the path that is named, before PATH', async () => {
  await using folder = await scratchFolder()
  const named = await program(folder.path, 'my-etcd')
  await program(folder.path, 'bin', 'etcd')
  const env = { ETCD_BINARY: named, PATH: join(folder.path, 'bin') }
  expect(serviceBinary('etcd', env)).toBe(named)
})

test('takes nothing else when the path that is named is no program', async () => {
  await using folder = await scratchFolder()
  await program(folder.path, 'bin', 'etcd')
  const env = { ETCD_BINARY: join(folder.path, 'bin'), PATH: join(folder.path, 'bin') }
  expect(serviceBinary('etcd', env)).toBeUndefined()
})

test('looks through PATH in its order, past files that cannot be run', async () => {
  await using folder = await scratchFolder()
  await chmod(await program(folder.path, 'a', 'etcd'), 0o644)
  const second = await program(folder.path, 'b', 'etcd')
  await program(folder.path, 'c', 'etcd')
  const PATH = ['a', 'b', 'c'].map((name) => join(folder.path, name)).join(':')
  expect(serviceBinary('etcd', { PATH })).toBe(second)
})

test('finds what was unpacked into the cache, and the libraries beside it', async () => {
  await using folder = await scratchFolder()
  const cache = join(folder.path, 'rts-testing')
  await mkdir(cache, { mode: 0o700 })
  const root = join(cache, unpackedName('etcd-server'))
  const path = await program(root, 'usr/bin', 'etcd')
  const libraries = join(root, 'usr/lib/x86_64-linux-gnu')
  await mkdir(libraries, { recursive: true })
  const found = findUnpacked(serviceDescriptions.etcd, { XDG_CACHE_HOME: folder.path })
  expect(found).toMatchObject({ path, env: { LD_LIBRARY_PATH: `${root}/usr/lib:${libraries}` } })
})

test('runs nothing from a cache that others can write to', async () => {
  await using folder = await scratchFolder()
  const cache = join(folder.path, 'rts-testing')
  await program(cache, unpackedName('etcd-server'), 'usr/bin', 'etcd')
  await chmod(cache, 0o777)
  const found = findUnpacked(serviceDescriptions.etcd, { XDG_CACHE_HOME: folder.path })
  expect(found?.path.startsWith(cache)).not.toBe(true)
})
