// Runs of the C original, step by step: the same calls must put the same bytes on the wire at the same moments.
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Kcp, type KcpOptions } from '../src/index.ts'

const folder = join(import.meta.dirname, 'golden')

interface Recording {
  readonly options: KcpOptions & { conv: number; nowMs: number }
  readonly lines: readonly string[]
}

function read(file: string): Recording {
  const [first, ...lines] = readFileSync(join(folder, file), 'utf8').trimEnd().split('\n')
  return { options: JSON.parse(first!) as Recording['options'], lines }
}

/** The lines of one end with what our core sends and receives in place of what the original did. */
function replay({ options, lines }: Recording, end: 'a' | 'b'): string[] {
  const log: string[] = []
  const kcp = new Kcp(
    options.conv,
    (buffer, offset, length) =>
      log.push(`${end} > ${Buffer.from(buffer.slice(offset, offset + length)).toString('hex')}`),
    { ...options, ackAll: true, probeInitMs: 5000, deadLinkMs: 0 },
  )
  const target = Buffer.alloc(65_536)
  // The original takes one segment of a stream at a time.
  const receiveAll = (): void => {
    for (let size = kcp.peekSize(); size >= 0; size = kcp.peekSize()) {
      kcp.receive(target.subarray(0, size))
      log.push(`${end} < ${target.toString('hex', 0, size)}`)
    }
  }
  let isPaused = false
  for (const [index, line] of lines.entries()) {
    const [side, kind, time, hex = ''] = line.split(' ')
    if (side !== end || kind === '>' || kind === '<') continue
    log.push(line)
    const nowMs = options.nowMs + Number(time)
    if (kind === 's') kcp.send(Buffer.from(hex, 'hex'))
    else if (kind === 'f') kcp.flush(nowMs)
    else if (kind === 'r') {
      isPaused = false
      receiveAll()
    } else {
      const bytes = Buffer.from(hex, 'hex')
      expect(kcp.input(bytes, 0, bytes.length, nowMs)).toBe(0)
      if (!isPaused) isPaused = isPauseNext(lines, index, end, kcp.peekSize() >= 0)
      if (!isPaused) receiveAll()
    }
  }
  return log
}

/** A reader that pauses leaves a message that is whole unread. */
function isPauseNext(
  lines: readonly string[],
  index: number,
  end: string,
  hasMessage: boolean,
): boolean {
  return hasMessage && !lines[index + 1]!.startsWith(`${end} <`)
}

describe.each(readdirSync(folder).filter((file) => file.endsWith('.txt')))('%s', (file) => {
  test.each(['a', 'b'] as const)('end %s sends what the C original sent, byte for byte', (end) => {
    const recording = read(file)
    const expected = recording.lines.filter((line) => line.startsWith(`${end} `))
    expect(expected.some((line) => line.includes(' > '))).toBe(true)
    expect(replay(recording, end)).toEqual(expected)
  })
})
