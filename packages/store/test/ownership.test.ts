import { describe, expect, it } from 'vitest'
import { checkLoad, decideSave } from '../src/ownership.ts'

const request = (version: number, fence: number) => ({
  type: 'avatar',
  id: 'ann',
  version,
  fence,
  data: null,
})

describe('decideSave', () => {
  it('lets the first save of an unknown entity through', () => {
    expect(decideSave(undefined, request(0, 3))).toEqual({
      result: { saved: true, version: 1 },
      fence: 3,
    })
  })

  it('tells an old owner that it is fenced, even where its version is right', () => {
    expect(decideSave({ version: 4, fence: 9 }, request(4, 8))).toEqual({
      result: { saved: false, reason: 'fenced', version: 4, fence: 9 },
      fence: 9,
    })
  })

  it('prefers fenced to conflict, since only one of them is final', () => {
    expect(decideSave({ version: 4, fence: 9 }, request(2, 8)).result).toMatchObject({
      reason: 'fenced',
    })
  })

  it('keeps the higher fence of a save that it refuses for its version', () => {
    expect(decideSave({ version: 4, fence: 9 }, request(3, 10))).toEqual({
      result: { saved: false, reason: 'conflict', version: 4, fence: 10 },
      fence: 10,
    })
  })
})

describe('checkLoad', () => {
  it('lets the known owner and every newer one pass', () => {
    expect(() => checkLoad('avatar', 'ann', 0)).not.toThrow()
    expect(() => checkLoad('avatar', 'ann', 9, { version: 1, fence: 9 })).not.toThrow()
    expect(() => checkLoad('avatar', 'ann', 10, { version: 1, fence: 9 })).not.toThrow()
  })

  it('throws for an older one, with the fence of the newer', () => {
    expect(() => checkLoad('avatar', 'ann', 8, { version: 1, fence: 9 })).toThrow(
      expect.objectContaining({ code: 'STORE_FENCED', fence: 9, executed: 'no' }),
    )
  })
})
