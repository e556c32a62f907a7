import { BlockList, isIP } from 'node:net'
import { InvalidOptionError } from '@millrace/kit'

/**
 * Ranges that no public service has: loopback, link-local (with the metadata services of clouds), private,
 * shared, documentation, multicast, reserved (IANA's special-purpose registries, RFC 6890).
 */
const SPECIAL4 = new BlockList()
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const) {
  SPECIAL4.addSubnet(network, prefix, 'ipv4')
}
/**
 * All that IANA has given out as global unicast so far (RFC 4291 section 2.4). What lies outside is special, or
 * embeds an IPv4 address: mapped, translated, NAT64.
 */
const GLOBAL6 = new BlockList()
GLOBAL6.addSubnet('2000::', 3, 'ipv6')
/** Within it: Teredo and other protocols, documentation, 6to4. */
const SPECIAL6 = new BlockList()
for (const [network, prefix] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const) {
  SPECIAL6.addSubnet(network, prefix, 'ipv6')
}

/**
 * Whether an address is one that a service on the public Internet can have.
 *
 * @throws InvalidOptionError unless it is a string
 */
export function isPublicAddress(address: string): boolean {
  if (typeof address !== 'string') throw new InvalidOptionError('address', 'a string', address)
  const plain = address.split('%', 1)[0]!
  const family = isIP(plain)
  if (family === 4) return !SPECIAL4.check(plain, 'ipv4')
  return family === 6 && GLOBAL6.check(plain, 'ipv6') && !SPECIAL6.check(plain, 'ipv6')
}
