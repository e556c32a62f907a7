import { BlockList, isIP } from 'node:net'

/**
 * Ranges that no public service has: loopback, link-local (with the metadata services of clouds), private,
 * shared, documentation, multicast, reserved, and the IPv6 prefixes that embed an IPv4 address (IANA's
 * special-purpose registries, RFC 6890).
 */
const special4 = new BlockList()
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
  special4.addSubnet(network, prefix, 'ipv4')
}
// Of its own, as a list that holds ::ffff:0:0/96 answers yes for every IPv4 address.
const special6 = new BlockList()
for (const [network, prefix] of [
  ['::', 96],
  ['::ffff:0:0', 96],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
  ['5f00::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
] as const) {
  special6.addSubnet(network, prefix, 'ipv6')
}

/** Whether an address is one that a service on the public Internet can have. */
export function isPublicAddress(address: string): boolean {
  const plain = address.split('%', 1)[0]!
  const family = isIP(plain)
  if (family === 4) return !special4.check(plain, 'ipv4')
  return family === 6 && !special6.check(plain, 'ipv6')
}
