import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Backend, WatchEnd, WatchEvent } from '../src/index.ts'

/** A backend to put to the test, and the way its time passes. */
export interface BackendHarness {
  /** A connection to the one store. */
  connect(): Backend
  /** Settles when the check holds. */
  until(check: () => boolean): Promise<void>
  pass(ms: number): Promise<void>
  /** Forgets the history. */
  compact(): Promise<void>
  close(): Promise<void>
}

/** What every backend promises, whatever is behind it. */
export function itIsABackend(name: string, make: () => Promise<BackendHarness>): void {
  describe(`${name} as a backend`, { timeout: 30_000 }, () => {
    let harness: BackendHarness
    let backend: Backend
    let folder = 0
    const key = (rest: string) => `/conformance/${folder}/${rest}`

    beforeAll(async () => {
      harness = await make()
      backend = harness.connect()
      backend.open()
      folder = (await backend.range({ prefix: '/' })).revision
    })
    afterAll(async () => {
      await backend.close()
      await harness.close()
    })

    const put = (name: string, value: string, lease = '0') =>
      backend.transact({ when: [], then: [{ kind: 'put', key: key(name), value, lease }] })
    const read = async (name: string) => (await backend.range({ key: key(name) })).entries[0]

    it('reads what was written, with the revisions of birth and last write', async () => {
      const first = await put('a', 'one')
      const second = await put('a', 'two ☃')
      const { revision, entries } = await backend.range({ key: key('a') })
      expect(revision).toBeGreaterThanOrEqual(second.revision)
      expect(entries).toEqual([
        {
          key: key('a'),
          value: 'two ☃',
          createRevision: first.revision,
          modRevision: second.revision,
          lease: '0',
        },
      ])
    })

    it('lists a prefix in the order of keys, without its neighbours', async () => {
      await Promise.all(
        ['list/b', 'list/a', 'lis', 'list0', 'list/'].map((name) => put(name, name)),
      )
      const { entries } = await backend.range({ prefix: key('list/') })
      expect(entries.map((entry) => entry.value)).toEqual(['list/', 'list/a', 'list/b'])
    })

    it('does a transaction whole or not at all', async () => {
      const { revision } = await put('t/there', 'x')
      const failed = await backend.transact({
        when: [
          { key: key('t/there'), modRevision: revision },
          { key: key('t/absent'), createRevision: 7 },
        ],
        then: [{ kind: 'delete', key: key('t/there') }],
        otherwiseRead: [key('t/there'), key('t/absent')],
      })
      expect(failed.succeeded).toBe(false)
      expect(failed.entries.map((entry) => entry.value)).toEqual(['x'])
      const done = await backend.transact({
        when: [
          { key: key('t/there'), modRevision: revision },
          { key: key('t/there'), createRevision: revision },
          { key: key('t/there'), lease: '0' },
          { key: key('t/absent'), createRevision: 0 },
        ],
        then: [
          { kind: 'delete', key: key('t/there') },
          { kind: 'put', key: key('t/absent'), value: 'born' },
        ],
      })
      expect(done).toMatchObject({ succeeded: true, entries: [] })
      expect(await read('t/there')).toBeUndefined()
      expect(await read('t/absent')).toMatchObject({ modRevision: done.revision })
    })

    it('remembers what stood under a key at a revision, unless that is forgotten or to come', async () => {
      const first = await put('past', 'one')
      const second = await put('past', 'two')
      const gone = await backend.transact({
        when: [],
        then: [{ kind: 'delete', key: key('past') }],
      })
      const at = async (revision: number) => (await backend.entryAt(key('past'), revision))?.value
      expect(await at(first.revision - 1)).toBeUndefined()
      expect(await at(first.revision)).toBe('one')
      expect(await at(second.revision)).toBe('two')
      expect(await at(gone.revision)).toBeUndefined()
      expect(await at(gone.revision + 1000)).toBeUndefined()
      await put('past', 'three')
      await harness.compact()
      expect(await at(first.revision)).toBeUndefined()
      const { revision } = await backend.range({ key: key('past') })
      expect(await at(revision)).toBe('three')
    })

    it('takes a transaction without operations as a question', async () => {
      const { revision } = await put('q', 'x')
      const ask = (modRevision: number) =>
        backend.transact({ when: [{ key: key('q'), modRevision }], then: [] })
      expect(await ask(revision)).toMatchObject({ succeeded: true })
      expect(await ask(revision - 1)).toMatchObject({ succeeded: false })
    })

    it('gives one of many that create a key at once the key', async () => {
      const tries = await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          backend.transact({
            when: [{ key: key('race'), createRevision: 0 }],
            then: [{ kind: 'put', key: key('race'), value: String(i) }],
            otherwiseRead: [key('race')],
          }),
        ),
      )
      const winner = (await read('race'))!
      expect(tries.filter((each) => each.succeeded)).toHaveLength(1)
      expect(tries[Number(winner.value)]).toMatchObject({ succeeded: true })
      for (const loser of tries.filter((each) => !each.succeeded)) {
        expect(loser.entries).toEqual([winner])
      }
    })

    it('ends the keys of a lease that is revoked, and knows it no more', async () => {
      const lease = await backend.grantLease(60)
      expect(lease.ttlSeconds).toBe(60)
      await put('leased/a', 'x', lease.id)
      await put('leased/b', 'x', lease.id)
      const status = await backend.leaseStatus(lease.id)
      expect([...status.keys].sort()).toEqual([key('leased/a'), key('leased/b')])
      expect(status.ttlSeconds).toBeGreaterThanOrEqual(58)
      expect(await backend.keepAlive(lease.id)).toBe(60)
      await backend.revokeLease(lease.id)
      await backend.revokeLease(lease.id)
      expect((await backend.range({ prefix: key('leased/') })).entries).toEqual([])
      expect(await backend.keepAlive(lease.id)).toBe(0)
      expect((await backend.leaseStatus(lease.id)).ttlSeconds).toBeLessThanOrEqual(0)
      await expect(put('leased/c', 'x', lease.id)).rejects.toMatchObject({
        code: 'DISCOVERY_LEASE_LOST',
      })
    })

    it('ends a lease that is not renewed, and keeps one that is', async () => {
      const [kept, left] = await Promise.all([backend.grantLease(2), backend.grantLease(2)])
      await put('ttl/kept', 'x', kept.id)
      await put('ttl/left', 'x', left.id)
      for (let beats = 0; beats < 8; beats++) {
        await harness.pass(500)
        expect(await backend.keepAlive(kept.id)).toBe(2)
      }
      const { entries } = await backend.range({ prefix: key('ttl/') })
      expect(entries.map((entry) => entry.key)).toEqual([key('ttl/kept')])
      await backend.revokeLease(kept.id)
    })

    it('binds a key to the lease of its last write', async () => {
      const [first, second] = await Promise.all([backend.grantLease(60), backend.grantLease(60)])
      await put('moved', 'x', first.id)
      await put('moved', 'x', second.id)
      await backend.revokeLease(first.id)
      expect(await read('moved')).toMatchObject({ lease: second.id })
      await backend.revokeLease(second.id)
      expect(await read('moved')).toBeUndefined()
    })

    function watch(prefix: string, fromRevision: number) {
      const events: WatchEvent[] = []
      const seen = { events, starts: 0, ends: [] as WatchEnd[] }
      const handle = backend.watch({ prefix: key(prefix) }, fromRevision, {
        onStart: () => void seen.starts++,
        onEvents: (more) => void events.push(...more),
        onEnd: (end) => void seen.ends.push(end),
      })
      return { seen, handle }
    }
    const names = (events: readonly WatchEvent[]) =>
      events.map((event) =>
        event.kind === 'put' ? `${event.entry.key}=${event.entry.value}` : `-${event.key}`,
      )

    it('tells a watch every change from its revision on, past ones included, once and in order', async () => {
      await put('w/before', '0')
      const { revision } = await put('w/a', '1')
      await put('other', '1')
      const { seen, handle } = watch('w/', revision)
      await put('w/a', '2')
      await backend.transact({
        when: [],
        then: [
          { kind: 'put', key: key('w/b'), value: '3' },
          { kind: 'delete', key: key('w/a') },
        ],
      })
      await put('w/last', '4')
      await harness.until(() => seen.events.length >= 5)
      expect(names(seen.events)).toEqual([
        `${key('w/a')}=1`,
        `${key('w/a')}=2`,
        `${key('w/b')}=3`,
        `-${key('w/a')}`,
        `${key('w/last')}=4`,
      ])
      const revisions = seen.events.map((event) =>
        event.kind === 'put' ? event.entry.modRevision : event.modRevision,
      )
      expect(revisions).toEqual([...revisions].sort((a, b) => a - b))
      expect(seen).toMatchObject({ starts: 1, ends: [] })
      handle.close()
    })

    it('calls no handler of a watch that was closed', async () => {
      const { revision } = await put('closed/a', '1')
      const { seen, handle } = watch('closed/', revision)
      const other = watch('closed/', revision)
      handle.close()
      handle.close()
      await put('closed/b', '1')
      await harness.until(() => other.seen.events.length === 2)
      other.handle.close()
      expect(seen).toEqual({ events: [], starts: 0, ends: [] })
    })

    it('ends a watch from before the compaction with the word that says so', async () => {
      const { revision } = await put('c/a', '1')
      await put('c/a', '2')
      await harness.compact()
      const { seen } = watch('c/', revision)
      await harness.until(() => seen.ends.length > 0)
      expect(seen.ends).toMatchObject([{ kind: 'compacted' }])
      expect(seen.events).toEqual([])
    })

    it('ends a watch from a future that another store must have had', async () => {
      const { revision } = await put('f/a', '1')
      const { seen } = watch('f/', revision + 1000)
      await harness.until(() => seen.ends.length > 0)
      expect(seen.ends).toMatchObject([{ kind: 'compacted' }])
    })

    it('rejects with the reason of an aborted signal', async () => {
      const reason = new Error('not any more')
      const options = { signal: AbortSignal.abort(reason) }
      await expect(backend.range({ prefix: '/' }, options)).rejects.toBe(reason)
    })

    it('shows one connection what another wrote', async () => {
      const other = harness.connect()
      other.open()
      await put('shared', 'x')
      expect((await other.range({ key: key('shared') })).entries[0]).toMatchObject({ value: 'x' })
      await other.close()
    })
  })
}
