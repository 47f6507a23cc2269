// What the cases with many sessions have in common: a listener, its clients, what both tell, and rows of a report.
import type { ChildProcess } from 'node:child_process'
import type { BenchCheck, BenchRow } from '../../../../bench.base.ts'
import type { KcpCounters } from '../../src/index.ts'
import { ask, heard, start } from './processes.ts'

/** What each session sends a second, where it is busy. */
export const BUSY_HZ = 20

/** What a listener costs. */
export interface Cost {
  readonly cpuUs: number
  readonly heapUsed: number
  readonly external: number
  readonly rss: number
  readonly sessions: number
  readonly counters: KcpCounters
}
/** What a process with sessions has measured. */
export interface Trips {
  readonly cpuUs: number
  readonly resends: number
  readonly tickP99: number
  readonly echoes: number
  readonly sent: number
  readonly p50: number
  readonly p99: number
  readonly open: number
}
export interface Cases {
  readonly rows: BenchRow[]
  readonly checks: BenchCheck[]
}

export const row = (name: string, value: number, unit: string): BenchRow => ({
  case: name,
  contender: 'listener',
  value,
  unit,
  ratio: 1,
})

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Median and range over the rounds. */
export const rowOf = (name: string, values: readonly number[], unit: string): BenchRow => ({
  ...row(name, median(values), unit),
  range: [Math.min(...values), Math.max(...values)],
})

/** A listener and a process with so many sessions of it. */
export async function open(
  sessions: number,
  perSocket = 50,
): Promise<{
  readonly server: ChildProcess
  readonly client: ChildProcess
  readonly port: number
  readonly before: Cost
  readonly convs: readonly number[]
}> {
  const server = start('sessions-server.ts')
  const { port } = await heard<{ port: number }>(server)
  const before = await ask<Cost>(server, 'cost')
  const client = start('sessions-client.ts', [port, sessions, 'sessions', perSocket])
  const { convs } = await heard<{ convs: readonly number[] }>(client)
  return { server, client, port, before, convs }
}
