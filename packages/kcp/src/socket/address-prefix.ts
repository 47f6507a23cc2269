/**
 * The network an address belongs to, as far as limits go: /24 of IPv4, /56 of IPv6, which is about what one
 * site has.
 *
 * @param address - As `node:dgram` writes it.
 */
export function addressPrefix(address: string): string {
  if (!address.includes(':')) return address.slice(0, address.lastIndexOf('.'))
  const mapped = /^::ffff:(\d+\.\d+\.\d+)\.\d+$/i.exec(address)
  if (mapped !== null) return mapped[1]!
  const [plain = ''] = address.split('%')
  const [head = '', tail] = plain.split('::')
  const groups = head === '' ? [] : head.split(':')
  if (tail !== undefined) {
    const last = tail === '' ? [] : tail.split(':')
    while (groups.length + last.length < 8) groups.push('0')
    groups.push(...last)
  }
  const [a = '0', b = '0', c = '0', d = '0'] = groups
  return `${a}:${b}:${c}:${(Number.parseInt(d, 16) >> 8).toString(16)}`
}
