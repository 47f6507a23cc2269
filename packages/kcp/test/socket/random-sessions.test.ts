import { type SeededRandom, seededRandom } from '@rts/testing'
import { expect, test } from 'vitest'
import type { KcpCloseInfo, KcpSession } from '../../src/index.ts'
import { connecting, listening, VirtualNetwork } from '../support/virtual-network.ts'
import { STARTS } from '../support/wire.ts'

const SEEDS = Array.from({ length: 400 }, (_, index) => index + 1)
const NUMBER_BYTES = 4

/** One owner of a session who does anything with it, also from within its callbacks, and keeps account. */
class Owner {
  readonly session: KcpSession
  readonly ends: KcpCloseInfo[] = []
  sent = 0
  heard = 0
  wrong = 0
  hasEnded = false
  /** From then on it reads, and does nothing else. */
  isCalm = false
  readonly #random: SeededRandom
  #off: () => void = () => {}

  constructor(session: KcpSession, random: SeededRandom) {
    this.session = session
    this.#random = random
    session.on('close', (info) => this.ends.push(info))
  }

  send(): void {
    const size = NUMBER_BYTES + this.#random.int(this.#random.chance(0.1) ? 20_000 : 1500)
    if (!this.session.isOpen || this.session.bufferedBytes > 300_000) return
    const bytes = new Uint8Array(size).fill(this.sent)
    new DataView(bytes.buffer).setUint32(0, this.sent)
    this.session.send(bytes)
    this.sent += 1
  }

  listen(): void {
    this.#off()
    const take = (bytes: Uint8Array): void => this.#take(bytes)
    if (this.#random.chance(0.5)) this.#off = this.session.on('message', take)
    else {
      this.session.onMessage = take
      this.#off = () => (this.session.onMessage = undefined)
    }
  }

  end(): void {
    this.hasEnded = true
    if (this.#random.chance(0.7)) void this.session.close(4000 + this.#random.int(100))
    else this.session.destroy()
  }

  act(): void {
    const { session } = this
    switch (this.#random.int(7)) {
      case 0:
      case 1:
        for (let left = this.#random.int(60); left > 0; left -= 1) this.send()
        break
      case 2:
        session.pause()
        break
      case 3:
        session.resume()
        break
      case 4:
        this.#off()
        break
      case 5:
        this.listen()
        break
      default:
        session.setWindowSize(this.#random.pick([1, 16, 300]), this.#random.pick([1, 16, 300]))
    }
  }

  #take(bytes: Uint8Array): void {
    const number = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)
    const isWhole = bytes.subarray(NUMBER_BYTES).every((byte) => byte === (number & 0xff))
    if (number !== this.heard || !isWhole || this.ends.length > 0) this.wrong += 1
    this.heard += 1
    if (this.isCalm) return
    if (this.#random.chance(0.2)) this.act()
    if (this.#random.chance(0.001)) this.end()
    if (this.#random.chance(0.01)) throw new Error('owner')
  }
}

/** Lets time pass, as a process does that lives on when an owner throws. */
function run({ time }: VirtualNetwork, ms: number): void {
  const end = time.now() + ms
  while (time.now() < end) {
    try {
      time.run(end)
    } catch (error) {
      if ((error as Error).message !== 'owner') throw error
    }
  }
}

function spoil({ faults }: VirtualNetwork, random: SeededRandom): void {
  faults.loss = random.pick([0, 0.1, 0.5])
  faults.duplicate = random.pick([0, 0.3])
  faults.corrupt = random.pick([0, 0.1])
  faults.jitterMs = random.pick([0, 30])
  faults.isCut = random.chance(0.1)
}

test.each(SEEDS)('two owners do anything with a session over any line, seed %i', async (seed) => {
  const random = seededRandom(seed)
  const network = new VirtualNetwork(seed, random.pick(STARTS).ms)
  const options = {
    profile: random.pick(['fast', 'normal'] as const),
    rcvWnd: random.pick([1, 4, 256]),
    closeTimeoutMs: random.pick([0, 50, 5000]),
  }
  let far: Owner | undefined
  const listener = await listening(
    network,
    options,
    (session) => (far = new Owner(session, random)),
  )
  const near = new Owner(await connecting(network, options), random)
  network.runUntil(() => far !== undefined)
  const owners = [near, far!] as const
  for (let step = 5 + random.int(40); step > 0; step -= 1) {
    random.pick(owners).act()
    if (random.chance(0.2)) spoil(network, random)
    if (random.chance(0.1)) network.rebind('10.0.9.1')
    if (random.chance(0.02)) random.pick(owners).end()
    run(network, random.pick([0, 1, 20, 100, 1000]))
  }
  Object.assign(network.faults, { loss: 0, duplicate: 0, corrupt: 0, jitterMs: 0, isCut: false })
  for (const owner of owners) {
    owner.isCalm = true
    owner.listen()
    owner.session.resume()
  }
  run(network, 75_000)
  const areOpen = owners.every(({ session }) => session.isOpen)
  if (areOpen) expect(owners.map(({ heard }) => heard)).toEqual([far!.sent, near.sent])
  random.pick(owners).end()
  run(network, 70_000)
  await network.settle(listener.close())
  for (const [owner, other] of [owners, owners.toReversed()] as [Owner, Owner][]) {
    expect([owner.wrong, owner.ends.length, owner.session.bufferedBytes]).toEqual([0, 1, 0])
    expect(owner.heard).toBeLessThanOrEqual(other.sent)
    const [end] = other.ends
    // A good close of the other end, with nobody hindering it here, delivers all.
    if (
      end?.by === 'local' &&
      end.error === undefined &&
      owner.ends[0]?.error === undefined &&
      !owner.hasEnded
    )
      expect(owner.heard).toBe(other.sent)
  }
  let timers = 0
  while (network.time.step()) expect((timers += 1), 'something never ends').toBeLessThan(300)
})
