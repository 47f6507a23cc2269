import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { scratchFolder } from '@rts/testing'
import { describe, expect, it } from 'vitest'
import { Json5xError } from '../src/errors.ts'
import { parseFile, parseFileSync, type ParseFileSyncOptions } from '../src/node.ts'

/** What both forms throw, which must be the same. */
async function refused(path: string, options: ParseFileSyncOptions = {}): Promise<Json5xError> {
  const errors: unknown[] = []
  await parseFile(path, options).catch((error: unknown) => errors.push(error))
  try {
    parseFileSync(path, options)
  } catch (error) {
    errors.push(error)
  }
  expect(errors).toHaveLength(2)
  const [first, second] = errors as [Json5xError, Json5xError]
  expect(first).toBeInstanceOf(Json5xError)
  expect([second.code, second.message]).toEqual([first.code, first.message])
  return first
}

describe('parseFile and parseFileSync', () => {
  it('read a file by path and by URL', async () => {
    await using folder = await scratchFolder()
    const path = join(folder.path, 'a b.json5')
    await writeFile(path, '\uFEFF// 中\n{ $MACRO$: { A: 1 }, a: "$A$", b: "$env.E$" }')
    const options = { env: { E: 'e' } }
    expect(await parseFile(path, options)).toEqual({ a: 1, b: 'e' })
    expect(await parseFile(pathToFileURL(path), options)).toEqual({ a: 1, b: 'e' })
    expect(parseFileSync(path, options)).toEqual({ a: 1, b: 'e' })
    expect(parseFileSync(pathToFileURL(path), options)).toEqual({ a: 1, b: 'e' })
  })

  it('name file, line and column of a mistake', async () => {
    await using folder = await scratchFolder()
    const path = join(folder.path, 'bad.json5')
    await writeFile(path, '{\n  a: oops\n}')
    const error = await refused(path)
    expect(error.message.startsWith(`${path}:2:6: expected a value`)).toBe(true)
    expect(error).toMatchObject({ filename: path, line: 2, column: 6, path: 'a' })
  })

  it('say why a file cannot be read', async () => {
    await using folder = await scratchFolder()
    const missing = join(folder.path, 'missing.json5')
    const error = await refused(missing)
    expect(error).toMatchObject({ code: 'JSON5X_FILE_UNREADABLE', filename: missing, line: 0 })
    expect(error.message).toBe(`${missing}: there is no such file (ENOENT)`)
    expect(error.cause).toMatchObject({ code: 'ENOENT' })
    await mkdir(join(folder.path, 'sub'))
    expect((await refused(join(folder.path, 'sub'))).reason).toBe('this is a folder')
    expect((await refused('/dev/null')).reason).toBe('this is no regular file')
  })

  it('read no more than allowed', async () => {
    await using folder = await scratchFolder()
    const path = join(folder.path, 'big.json5')
    await writeFile(path, '[1, 2, 3]')
    expect(await refused(path, { maxBytes: 8 })).toMatchObject({ code: 'JSON5X_FILE_TOO_BIG' })
    expect(await parseFile(path, { maxBytes: 9 })).toEqual([1, 2, 3])
    await expect(parseFile(path, { maxBytes: 0 })).rejects.toThrow(RangeError)
  })

  it('refuse what is not UTF-8', async () => {
    await using folder = await scratchFolder()
    const path = join(folder.path, 'latin.json5')
    await writeFile(path, Uint8Array.of(0x22, 0xe9, 0x22))
    expect(await refused(path)).toMatchObject({ code: 'JSON5X_FILE_NOT_UTF8', filename: path })
  })

  it('give up when told to', async () => {
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(parseFile('any.json5', { signal })).rejects.toThrow('enough')
  })
})
