import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readLinkMeta, type LinkMeta } from '../src/link-meta.ts'

const meta: LinkMeta = {
  session: 's1',
  account: 'ann',
  route: 'lobby',
  epoch: 3,
  gate: 'gate_1',
  identity: { account: 'ann', realm: 'west' },
  linkEpoch: 1,
  online: true,
  maxMessageBytes: 1000,
  windowBytes: 500,
}

describe('readLinkMeta', () => {
  it('reads what a gate says and drops what it does not know', () => {
    expect(readLinkMeta({ ...meta, more: 1 })).toEqual(meta)
  })

  it('takes the account from the gate, whatever the identity says', () => {
    const read = readLinkMeta({ ...meta, identity: { account: 'bob' } })
    expect(read?.identity.account).toBe('ann')
  })

  it('answers undefined when any field is missing or of another kind', () => {
    for (const name of Object.keys(meta)) {
      for (const value of [undefined, null, Number.NaN, [], Symbol.iterator])
        expect(readLinkMeta({ ...meta, [name]: value })).toBeUndefined()
    }
  })

  it('answers undefined or a meta for anything at all', () => {
    fc.assert(
      fc.property(fc.anything(), (anything) => {
        expect(readLinkMeta(anything)).toBeUndefined()
      }),
      { seed: 1 },
    )
  })
})
