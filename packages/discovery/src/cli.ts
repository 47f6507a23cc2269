#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { parseCommand, USAGE, type Command } from './command-options.ts'
import { runCommand, type Terminal } from './command.ts'
import { DiscoveryError } from './errors.ts'
import { EtcdBackend } from './etcd-backend.ts'
import type { EtcdTlsOptions } from './etcd-options.ts'

const NO_TERMINAL_COLUMNS = 200

function tlsOf({ ca, cert, key }: Command['tls']): EtcdTlsOptions | undefined {
  if (ca === undefined) return undefined
  return {
    rootCertificate: readFileSync(ca),
    ...(cert === undefined ? {} : { certificateChain: readFileSync(cert) }),
    ...(key === undefined ? {} : { privateKey: readFileSync(key) }),
  }
}

function terminalOf(): Terminal {
  const { stdout, stderr, env } = process
  const stopping = new AbortController()
  const isInteractive = stdout.isTTY === true
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => stopping.abort())
  }
  // Whoever read what we write has gone.
  stdout.on('error', () => stopping.abort())
  return {
    write: (text) => void stdout.write(text),
    error: (text) => void stderr.write(text),
    columns: () => stdout.columns ?? NO_TERMINAL_COLUMNS,
    isInteractive,
    hasColors: isInteractive && !env['NO_COLOR'],
    stopped: stopping.signal,
  }
}

async function main(): Promise<number> {
  const terminal = terminalOf()
  let command: Command | undefined
  let backend: EtcdBackend
  try {
    command = parseCommand(process.argv.slice(2), process.env)
    if (command === undefined) {
      terminal.write(USAGE)
      return 0
    }
    const tls = tlsOf(command.tls)
    backend = new EtcdBackend({ ...command.etcd, ...(tls === undefined ? {} : { tls }) })
  } catch (error) {
    terminal.error(`rts-registry: ${(error as Error).message}\n`)
    return 2
  }
  try {
    return await runCommand(command, { backend, terminal })
  } catch (error) {
    const code = error instanceof DiscoveryError ? ` (${error.code})` : ''
    terminal.error(`rts-registry: ${(error as Error).message}${code}\n`)
    return 1
  }
}

process.exitCode = await main()
