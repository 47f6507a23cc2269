import { describe, expect, it } from 'vitest'
import { buildPage, servePage, type PageApp, type PageReply } from '../src/http/page.ts'

const text = (body: unknown): string => new TextDecoder().decode(body as Uint8Array)

/** Notes what a handler answers. */
class Reply implements PageReply {
  status = 200
  sent: Record<string, string> = {}
  body: unknown
  code(status: number): this {
    this.status = status
    return this
  }
  headers(values: Readonly<Record<string, string>>): this {
    Object.assign(this.sent, values)
    return this
  }
  send(body?: unknown): this {
    this.body = body
    return this
  }
}

describe('the page', () => {
  it('is whole in its files and asks nobody else for anything', async () => {
    const { files } = await buildPage()
    const names = [...files.keys()].filter((name) => !name.endsWith('.map'))
    expect(names.toSorted()).toEqual(['app.js', 'index.html', 'style.css'])
    const html = text(files.get('index.html')?.body)
    const wanted = [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, url]) => url ?? '')
    for (const url of wanted) expect(url.startsWith('data:') || files.has(url), url).toBe(true)
    expect(text(files.get('style.css')?.body)).not.toMatch(/url\(|@import/)
    const script = text(files.get('app.js')?.body)
    const imports = script.match(/\bimport\b.{0,40}|\brequire\(.{0,40}/g) ?? []
    expect(imports).toEqual([])
    expect(files.has(/sourceMappingURL=(.*)/.exec(script)?.[1] ?? '')).toBe(true)
  })

  it('has each element that the script looks for', async () => {
    const { files } = await buildPage()
    const html = text(files.get('index.html')?.body)
    const ids = [...html.matchAll(/\sid="([^"]*)"/g)].map(([, id]) => id)
    expect(new Set(ids).size).toBe(ids.length)
    const map = JSON.parse(text(files.get('app.js.map')?.body)) as { sourcesContent: string[] }
    const sources = map.sourcesContent.join('\n')
    for (const [, id] of sources.matchAll(/\belement\(\s*'([^']+)'/g)) expect(ids).toContain(id)
  })

  it('is served at / with its types, and again only when it changed', async () => {
    const routes = new Map<string, Parameters<PageApp['get']>[1]>()
    const app: PageApp = { get: (path, handler) => routes.set(path, handler) }
    servePage(app, await buildPage())
    expect([...routes.keys()]).toContain('/')
    const first = new Reply()
    routes.get('/')?.({ headers: {} }, first)
    expect(first.sent['content-type']).toBe('text/html; charset=utf-8')
    expect(first.sent['content-security-policy']).toContain("script-src 'self'")
    expect(text(first.body)).toContain('<canvas')
    const second = new Reply()
    routes.get('/')?.({ headers: { 'if-none-match': first.sent['etag'] } }, second)
    expect([second.status, second.body]).toEqual([304, undefined])
  })
})
