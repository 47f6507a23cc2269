/** The host and port of `scheme://host:port/…`; `undefined` when it has none. */
export function hostAndPort(
  url: string,
): { readonly host: string; readonly port: number } | undefined {
  const match = /^[a-z]+:\/\/(\[[^\]]+\]|[^/:]+):(\d{1,5})(?:\/|$)/.exec(url)
  if (match === null) return undefined
  const [, host = '', digits = ''] = match
  const port = Number(digits)
  return port > 65_535 ? undefined : { host: host.replace(/^\[|\]$/g, ''), port }
}

/** IPv6 addresses get their brackets. */
export const urlOf = (scheme: string, host: string, port: number, path = ''): string =>
  `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}${path}`
