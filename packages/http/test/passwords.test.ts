import * as crypto from 'node:crypto'
import { seededRandom } from '@rts/testing'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Passwords, type ScryptCost } from '../src/passwords.ts'

vi.mock(import('node:crypto'), async (original) => {
  const actual = await original()
  return { ...actual, scrypt: vi.fn(actual.scrypt) as unknown as typeof actual.scrypt }
})
const scrypt = vi.mocked(crypto.scrypt)
afterEach(() => {
  scrypt.mockClear()
})

const CHEAP: ScryptCost = { cost: 16, blockSize: 1, parallelization: 1 }
const make = (scryptCost = CHEAP, maxWaiting = 64) =>
  new Passwords({ scrypt: scryptCost, maxWaiting, random: seededRandom(1) })

describe('a password', () => {
  it('is recognised by its hash, and no other is', async () => {
    const passwords = make()
    const hash = await passwords.hash('correct horse')
    expect(hash).toMatch(/^\$scrypt\$ln=4,r=1,p=1\$[A-Za-z\d+/]{22}\$[A-Za-z\d+/]{43}$/)
    expect(await passwords.check('correct horse', hash)).toBe(true)
    expect(await passwords.check('correct horsf', hash)).toBe(false)
    expect(await passwords.check('', hash)).toBe(false)
  })

  it('has another hash each time', async () => {
    const passwords = make()
    expect(await passwords.hash('same')).not.toBe(await passwords.hash('same'))
  })

  it('is recognised however its characters are composed', async () => {
    const passwords = make()
    const hash = await passwords.hash('caf\u00e9 2')
    expect(await passwords.check('cafe\u0301 \uff12', hash)).toBe(true)
  })

  it('is still recognised after the cost has changed', async () => {
    const hash = await make().hash('old')
    const dearer = make({ cost: 64, blockSize: 2, parallelization: 2 })
    expect(await dearer.check('old', hash)).toBe(true)
    expect(await dearer.hash('new')).toContain('ln=6,r=2,p=2')
  })

  it('costs the same work when there is no such account', async () => {
    const passwords = make()
    const hash = await passwords.hash('x')
    scrypt.mockClear()
    expect(await passwords.check('guess', hash)).toBe(false)
    expect(await passwords.check('guess', undefined)).toBe(false)
    const [known, unknown] = scrypt.mock.calls
    expect(unknown?.[0]).toEqual(known?.[0])
    expect(unknown?.slice(2, 4)).toEqual(known?.slice(2, 4))
  })

  it('can be hashed at the default cost, which needs more memory than Node allows by default', async () => {
    const passwords = make({ cost: 2 ** 15, blockSize: 8, parallelization: 1 })
    expect(await passwords.check('x', await passwords.hash('x'))).toBe(true)
  })

  it.each([
    'plain text',
    '$scrypt$ln=4,r=1,p=1$AAAA$AAAA',
    '$scrypt$ln=40,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
    '$argon2id$v=19$m=1,t=1,p=1$AAAA$AAAA',
    '',
  ])('is not compared with a stored hash that is none: %s', async (stored) => {
    const checking = make().check('x', stored)
    await expect(checking).rejects.toBeInstanceOf(Error)
    await expect(checking).rejects.not.toMatchObject({ message: expect.stringContaining('AAAA') })
  })
})

describe('many passwords at once', () => {
  it('are hashed two at a time, and refused when too many wait', async () => {
    const passwords = make(CHEAP, 3)
    let running = 0
    let most = 0
    const real = scrypt.getMockImplementation()
    scrypt.mockImplementation((password, salt, length, options, done) => {
      running += 1
      most = Math.max(most, running)
      real?.(password, salt, length, options, (error, hash) => {
        running -= 1
        done(error, hash)
      })
    })
    const outcomes = await Promise.allSettled(Array.from({ length: 6 }, () => passwords.hash('x')))
    expect(most).toBe(2)
    expect(outcomes.map(({ status }) => status)).toEqual([
      ...Array(5).fill('fulfilled'),
      'rejected',
    ])
    expect(outcomes[5]).toMatchObject({ reason: { code: 'HTTP_BUSY', retryAfterSeconds: 1 } })
    expect(scrypt).toHaveBeenCalledTimes(5)
    await passwords.hash('again')
  })

  it('go on after one has failed', async () => {
    const passwords = make()
    for (let count = 0; count < 5; count += 1) {
      await expect(passwords.check('x', 'bad hash')).rejects.toThrow(TypeError)
    }
    await passwords.hash('x')
  })
})

describe('the cost', () => {
  it.each([
    { cost: 1, blockSize: 8, parallelization: 1 },
    { cost: 1_000, blockSize: 8, parallelization: 1 },
    { cost: 16, blockSize: 0, parallelization: 1 },
    { cost: 16, blockSize: 8, parallelization: 65 },
    { cost: 2 ** 24, blockSize: 8, parallelization: 1 },
    { cost: Number.NaN, blockSize: 8, parallelization: 1 },
  ])('must be one that scrypt and this machine can do: %j', (cost) => {
    expect(() => make(cost)).toThrow(RangeError)
  })
})
