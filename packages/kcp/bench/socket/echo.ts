// Echo over real sockets on loopback, against a bare dgram echo in the same run.
import { check, interleave, type BenchCheck, type BenchRow } from '../../../../bench.base.ts'
import { ask, heard, pause, start } from './processes.ts'

/** Processes with clients: one alone would be slower than the server. */
const PROCESSES = 2
const CLIENTS = 40
const BYTES = 200
const MODES = ['bare', 'raw', 'authenticated'] as const
type Mode = (typeof MODES)[number]

async function measure(
  mode: Mode,
  runMs: number,
): Promise<{ perSecond: number; cpuUsPerEcho: number }> {
  const server = start('echo-server.ts', [mode])
  const { port } = await heard<{ port: number }>(server)
  const clients = await Promise.all(
    Array.from({ length: PROCESSES }, async () => {
      const client = start('echo-client.ts', [mode, port, CLIENTS, BYTES])
      await heard(client)
      return client
    }),
  )
  const count = async (question: string): Promise<number> => {
    const answers = clients.map((client) => ask<{ echoes: number }>(client, question))
    return (await Promise.all(answers)).reduce((sum, { echoes }) => sum + echoes, 0)
  }
  await count('begin')
  await pause(700)
  const first = await count('count')
  const cpuFirst = await ask<{ cpuUs: number }>(server, 'cpu')
  const began = performance.now()
  await pause(runMs)
  const last = await count('count')
  const cpuLast = await ask<{ cpuUs: number }>(server, 'cpu')
  const seconds = (performance.now() - began) / 1000
  for (const client of clients) client.kill()
  server.kill()
  const echoes = last - first
  if (echoes < 1000) throw new Error(`${mode}: only ${echoes} echoes`)
  return { perSecond: echoes / seconds, cpuUsPerEcho: (cpuLast.cpuUs - cpuFirst.cpuUs) / echoes }
}

export async function echoCases(
  rounds = 9,
  runMs = 1200,
): Promise<{ rows: BenchRow[]; checks: BenchCheck[] }> {
  const cpu: Record<Mode, number[]> = { bare: [], raw: [], authenticated: [] }
  const contenders = Object.fromEntries(
    MODES.map((mode) => [
      mode,
      async () => {
        const { perSecond, cpuUsPerEcho } = await measure(mode, runMs)
        cpu[mode].push(cpuUsPerEcho)
        return perSecond
      },
    ]),
  )
  const name = `echo ${BYTES} B over dgram, ${PROCESSES * CLIENTS} clients`
  const rates = await interleave(name, '/s', contenders, rounds)
  let round: Record<Mode, number> = { bare: 0, raw: 0, authenticated: 0 }
  const cpus = await interleave(
    `${name}: CPU of the server`,
    'us/echo',
    Object.fromEntries(
      MODES.map((mode) => [
        mode,
        () => {
          round = { ...round, [mode]: round[mode] + 1 }
          return cpu[mode][round[mode] - 1]!
        },
      ]),
    ),
    rounds,
  )
  const ratio = (rows: readonly BenchRow[], mode: Mode): number =>
    rows.find(({ contender }) => contender === mode)!.ratio
  return {
    rows: [...rates, ...cpus],
    checks: [
      check('echo: CPU of raw mode against bare', ratio(cpus, 'raw'), '<= 1.4'),
      check('echo: CPU of authenticated against bare', ratio(cpus, 'authenticated'), '<= 2.2'),
      check('echo: rate of raw mode against bare', ratio(rates, 'raw'), '>= 0.65'),
      check('echo: rate of authenticated against bare', ratio(rates, 'authenticated'), '>= 0.45'),
    ],
  }
}
