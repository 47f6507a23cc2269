// Reads a flooded port in a thread of its own: answers first hellos, and passes on what is of use to the listener.
import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../../clock.ts'
import { systemRandom } from '../../random.ts'
import { mayBeKnown } from './conv-filter.ts'
import { newCounters, type DropReason } from '../counters.ts'
import { classify, readConv } from '../datagram.ts'
import { FirstAnswers } from '../first-answers.ts'
import { RetryBudget } from './retry-budget.ts'
import { RetryTokens } from '../retry-tokens.ts'
import {
  MAX_PASSING,
  PASSED,
  type Datagram,
  type FromScrubber,
  type ScrubberSetup,
  type ToScrubber,
} from './scrubber.ts'
import { openUdpSocket } from '../udp-socket.ts'

const REPORT_EVERY_MS = 100
/**
 * A thread that never waits is left alone on its core for more than a millisecond, whoever else has something to do:
 * after so many datagrams it waits for a moment.
 */
const READ_BETWEEN_RESTS = 64
const REST_MS = 0.05

const { socket: socketOptions, rules, taken } = workerData as ScrubberSetup
const listener = parentPort!
const tell = (message: FromScrubber): void => listener.postMessage(message, [])

/** The listener's clock, as far as it can be known here: never ahead of it. */
let told = { nowMs: rules.nowMs, atMs: systemClock.now() }
const clock = { now: () => told.nowMs + systemClock.now() - told.atMs }

const socket = await openUdpSocket(socketOptions)
let counters = newCounters()
const drop = (reason: DropReason): void => {
  counters.dropped[reason] += 1
}
const out = {
  get counters() {
    return counters
  },
  drop,
  send(bytes: Uint8Array, from: number, end: number, address: string, port: number): void {
    if (!socket.send(bytes, from, end, port, address)) {
      drop('sendQueue')
      return
    }
    counters.datagramsOut += 1
    counters.bytesOut += end - from
  },
}
const { maxRetriesPerSecond, tokenKey, convs } = rules
const budget = new RetryBudget(maxRetriesPerSecond, systemRandom, systemClock.now())
const firstAnswers = new FirstAnswers(out, new RetryTokens(clock, tokenKey), budget, () => {})

let toPass: Datagram[] = []
let passed = 0
function pass(): void {
  if (toPass.length > 0) tell({ kind: 'datagrams', datagrams: toPass })
  toPass = []
}

/** Whether the listener is to see it; if not, it has been answered or dropped. */
function isOfUse(bytes: Uint8Array, address: string, port: number): boolean {
  const what = classify(bytes)
  if (what === 'hello')
    return firstAnswers.take(bytes, address, port, systemClock.now()) !== undefined
  if (what !== 'sealed') {
    drop(what)
    return false
  }
  if (convs === undefined || mayBeKnown(convs, readConv(bytes))) return true
  drop('unknownConv')
  return false
}

const neverWoken = new Int32Array(new SharedArrayBuffer(4))
let readSinceRest = 0
function rest(): void {
  readSinceRest = 0
  Atomics.wait(neverWoken, 0, 0, REST_MS)
}

socket.onDatagram = (bytes, address, port) => {
  readSinceRest += 1
  if (readSinceRest >= READ_BETWEEN_RESTS) rest()
  const isPassed = isOfUse(bytes, address, port)
  if (isPassed && ((passed - Atomics.load(taken, PASSED.in)) | 0) < MAX_PASSING) {
    passed = (passed + 1) | 0
    if (toPass.push([bytes, address, port]) === 1) systemClock.defer(pass)
    return
  }
  // What passes is counted by the listener.
  if (isPassed) drop('receiveQueue')
  counters.datagramsIn += 1
  counters.bytesIn += bytes.length
}
socket.onError = (error) => tell({ kind: 'error', error })

function report(): void {
  tell({ kind: 'counters', counters })
  counters = newCounters()
}
let cancelReport: () => void
function reportLater(): void {
  cancelReport = systemClock.setTimer(REPORT_EVERY_MS, () => {
    report()
    reportLater()
  })
}
reportLater()

async function end(): Promise<void> {
  cancelReport()
  // Another reads the port too by now. What is in this queue is read before it goes.
  await new Promise<void>((resolve) => {
    systemClock.defer(resolve)
  })
  await socket.close()
  pass()
  report()
  listener.close()
}

listener.on('message', (message: ToScrubber) => {
  if (message.kind === 'send') {
    for (const [bytes, address, port] of message.datagrams)
      if (!socket.send(bytes, 0, bytes.length, port, address)) drop('sendQueue')
    Atomics.add(taken, PASSED.out, message.datagrams.length)
  } else if (message.kind === 'now') told = { nowMs: message.nowMs, atMs: systemClock.now() }
  else void end()
})
tell({ kind: 'open', address: socket.address, port: socket.port })
