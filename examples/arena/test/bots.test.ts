import { formatReport, judge } from '@rts/bots'
import { seededRandom, TcpFaultProxy, UdpFaultProxy } from '@rts/testing'
import { expect, test } from 'vitest'
import { judgeBots, playWithBots } from '../bots/run.ts'
import { gateUrl, runArena } from './running-arena.ts'

const SECONDS = 20
const CUTS_AT_MS = [5000, 11_000]
const SPREAD_MS = 4000

test('50 bots play for 20 s over TCP, each link cut twice: no error, nothing reliable lost, doubled or late', async () => {
  await using running = await runArena()
  const { hostname, port } = new URL(gateUrl(running.arena, 'tcp'))
  await using proxy = await TcpFaultProxy.listen({ target: { host: hostname, port: Number(port) } })
  const random = seededRandom(1)
  let cuts = 0
  for (const at of CUTS_AT_MS) {
    setTimeout(() => {
      for (const link of proxy.links) {
        setTimeout(() => {
          cuts += 1
          link.cut()
        }, random.next() * SPREAD_MS)
      }
    }, at)
  }
  const report = await playWithBots({
    server: running.arena.loginUrl,
    count: 50,
    durationMs: SECONDS * 1000,
    gate: (url) => (url.startsWith('tcp:') ? proxy.url() : undefined),
  })
  console.log(formatReport(report))
  expect(report.errors).toEqual({})
  expect(report).toMatchObject({ bots: 50, finished: 50, failed: 0 })
  expect(cuts).toBe(100)
  expect(report.counters['resumes']).toBe(100)
  expect(judgeBots(report).misses).toEqual([])
})

test('bots play over WebSocket as well', async () => {
  await using running = await runArena()
  const report = await playWithBots({
    server: running.arena.loginUrl,
    count: 5,
    durationMs: 3000,
    gate: (url) => (url.startsWith('ws:') ? url : undefined),
  })
  expect(report.errors).toEqual({})
  expect(judgeBots(report).misses).toEqual([])
})

test('bots play over KCP, at the port number of TCP, with 10 % of all datagrams lost: no error, nothing reliable lost, doubled or late', async () => {
  await using running = await runArena()
  const { hostname, port } = new URL(gateUrl(running.arena, 'kcp'))
  expect(port).toBe(new URL(gateUrl(running.arena, 'tcp')).port)
  await using proxy = await UdpFaultProxy.listen({
    target: { host: hostname, port: Number(port) },
    random: seededRandom(1),
  })
  proxy.loss(0.1)
  const report = await playWithBots({
    server: running.arena.loginUrl,
    count: 20,
    durationMs: 12_000,
    gate: (url) => (url.startsWith('kcp:') ? proxy.url('kcp') : undefined),
  })
  console.log(formatReport(report))
  expect(report.errors).toEqual({})
  expect(report).toMatchObject({ bots: 20, finished: 20, failed: 0 })
  expect(proxy.stats().toTarget.lost).toBeGreaterThan(100)
  // A resend takes a while, the more so on a busy machine; that none is late by a second is what this holds.
  const latencies = { 'input to state': { p99Ms: 1000 } }
  expect(judge(report, { latencies, atLeast: { states: 20, 'chat lines': 20 } }).misses).toEqual([])
})
