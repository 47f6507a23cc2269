import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import { build } from 'esbuild'

const WEB_FOLDER = join(import.meta.dirname, '..', '..', 'web')

const HTML = 'text/html; charset=utf-8'
const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.map': 'application/json',
}

/** The first that mix colours and know `oklch`; the style sheet gets what prefixes they want. */
const BROWSERS = ['chrome111', 'firefox113', 'safari16.4']

/** Everything comes from here, but for the gates, whose addresses the login tells. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  'img-src data:',
  "connect-src 'self' ws: wss:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

export interface PageFile {
  readonly body: Uint8Array
  /** The content type. */
  readonly type: string
}

/** The game page. Files by name: `index.html`, `app.js`, `style.css` and source maps. */
export interface Page {
  readonly files: ReadonlyMap<string, PageFile>
}

/** The part of a Fastify application that serving needs. */
export interface PageApp {
  get(
    path: string,
    handler: (
      request: { readonly headers: Readonly<Record<string, string | string[] | undefined>> },
      reply: PageReply,
    ) => unknown,
  ): unknown
}
export interface PageReply {
  code(status: number): PageReply
  headers(values: Readonly<Record<string, string>>): PageReply
  send(body?: unknown): unknown
}

/**
 * Bundles the page for browsers.
 *
 * @throws an esbuild error with file and line when it does not compile.
 */
export async function buildPage(): Promise<Page> {
  const { outputFiles } = await build({
    entryPoints: {
      app: join(WEB_FOLDER, 'main.ts'),
      style: join(WEB_FOLDER, 'style.css'),
    },
    outdir: WEB_FOLDER,
    write: false,
    bundle: true,
    minify: true,
    sourcemap: 'linked',
    format: 'esm',
    target: BROWSERS,
    // Packages run from source in their own workspace; installed ones do not have this condition.
    conditions: ['@rts/source'],
    legalComments: 'none',
    logLevel: 'silent',
  })
  const index: PageFile = { body: await readFile(join(WEB_FOLDER, 'index.html')), type: HTML }
  const built = outputFiles.map(({ path, contents }): [string, PageFile] => [
    basename(path),
    { body: contents, type: TYPES[extname(path)] ?? 'application/octet-stream' },
  ])
  return { files: new Map([['index.html', index], ...built]) }
}

/** Serves the page at `/`, and each of its files under its name. */
export function servePage(app: PageApp, page: Page): void {
  for (const [name, { body, type }] of page.files) {
    const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
    const headers = {
      'content-type': type,
      'cache-control': 'no-cache',
      'content-security-policy': CONTENT_SECURITY_POLICY,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      etag,
    }
    for (const path of name === 'index.html' ? ['/', '/index.html'] : [`/${name}`]) {
      app.get(path, (request, reply) => {
        if (request.headers['if-none-match'] === etag)
          return reply.code(304).headers({ etag }).send()
        return reply.headers(headers).send(Buffer.from(body))
      })
    }
  }
}
