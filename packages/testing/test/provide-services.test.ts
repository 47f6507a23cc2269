import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import {
  findChromium,
  findEtcd,
  freePort,
  provideServices,
  requireService,
  serviceUrl,
  type ServiceName,
} from '../src/index.ts'

test('uses the URL in the environment when an etcd answers there, and leaves it running', async () => {
  const server = createServer((request, response) => {
    const answer = request.url === '/health' ? { health: 'true' } : { etcdserver: '9.9.9' }
    response.end(JSON.stringify(answer))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const provided = await provideServices(['etcd'], { env: { ETCD_URL: url } })
  expect(provided.services).toEqual([{ name: 'etcd', url, how: 'etcd 9.9.9, ETCD_URL' }])
  expect(provided.env).toEqual({ ETCD_URL: url })
  await provided.stop()
  expect(await (await fetch(`${url}/health`)).json()).toEqual({ health: 'true' })
  server.close()
})

test('looks for nothing else when nothing answers at the URL in the environment', async () => {
  const env = { ...process.env, ETCD_URL: `http://127.0.0.1:${await freePort()}` }
  const { services } = await provideServices(['etcd'], { env })
  expect(services).toEqual([
    {
      name: 'etcd',
      missing: expect.stringMatching(
        /^ETCD_URL is set, but no etcd answers there \(.*ECONNREFUSED/,
      ) as string,
    },
  ])
  expect(await findEtcd({ env })).toBeUndefined()
})

test('says all that was tried when a service cannot be had', async () => {
  // The named program is none, and there is no docker on this PATH.
  const env = { PATH: '/nonexistent', ETCD_BINARY: '/nonexistent/etcd' }
  const provided = await provideServices(['etcd'], { env })
  expect(provided.services).toEqual([
    {
      name: 'etcd',
      missing: 'ETCD_BINARY=/nonexistent/etcd is not a program; no docker (spawn docker ENOENT)',
    },
  ])
  expect(provided.env).toEqual({})
  await provided.stop()
})

test('asks for nothing when nothing is asked for', async () => {
  const provided = await provideServices([])
  expect([provided.services, provided.env]).toEqual([[], {}])
})

test('finds the Chromium that is named', async () => {
  const env = { CHROMIUM_PATH: process.execPath }
  expect(await findChromium({ env })).toEqual({ path: process.execPath, how: 'CHROMIUM_PATH' })
  const provided = await provideServices(['chromium'], { env })
  expect(provided.env).toEqual(env)
})

test('does not install when told so', async () => {
  const env = { CHROMIUM_PATH: '/nonexistent/chromium' }
  expect(await findChromium({ env, install: false })).toBeUndefined()
})

test('tells tests the URL they were given', () => {
  const env = { ETCD_URL: 'http://127.0.0.1:1' }
  expect(serviceUrl('etcd', env)).toBe('http://127.0.0.1:1')
  expect(serviceUrl('etcd', { ETCD_URL: '' })).toBeUndefined()
  expect(requireService('etcd', env)).toBe('http://127.0.0.1:1')
})

test('a service that is required and missing, or unknown, is a coded error', () => {
  expect(() => requireService('etcd', {})).toThrow(
    expect.objectContaining({ code: 'TESTING_SERVICE_MISSING' }),
  )
  expect(() => serviceUrl('mysql' as ServiceName)).toThrow(
    expect.objectContaining({ code: 'TESTING_SERVICE_UNKNOWN' }),
  )
})
