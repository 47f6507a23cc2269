/**
 * The network an address belongs to, as far as limits go: /24 of IPv4, /56 of IPv6, which is about what one
 * site has.
 *
 * @param address - As `node:dgram` writes it.
 */
export function addressPrefix(address: string): string {
  const ipv4 = asIpv4(address)
  if (ipv4 !== undefined) return ipv4.slice(0, ipv4.lastIndexOf('.'))
  const [a, b, c, d] = firstGroups(address)
  return `${a}:${b}:${c}:${(Number.parseInt(d, 16) >> 8).toString(16)}`
}

/**
 * The host an address belongs to, as far as limits go: the address itself of IPv4, /64 of IPv6, of which one host
 * takes as many addresses as it likes.
 *
 * @param address - As `node:dgram` writes it.
 */
export function addressHost(address: string): string {
  return asIpv4(address) ?? firstGroups(address).join(':')
}

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i

/** Also one that a socket of IPv6 got by IPv4. */
function asIpv4(address: string): string | undefined {
  return address.includes(':') ? MAPPED.exec(address)?.[1] : address
}

/** The first 64 bits of IPv6, each group without leading zeros. */
function firstGroups(address: string): [string, string, string, string] {
  const [plain = ''] = address.split('%')
  const [head = '', tail] = plain.split('::')
  const groups = head === '' ? [] : head.split(':')
  if (tail !== undefined) {
    const last = tail === '' ? [] : tail.split(':')
    while (groups.length + last.length < 8) groups.push('0')
    groups.push(...last)
  }
  const [a = '0', b = '0', c = '0', d = '0'] = groups
  return [a, b, c, d]
}
