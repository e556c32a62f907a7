import { BlockList, isIP, SocketAddress } from 'node:net'
import {
  checkInteger,
  checkList,
  checkOptions,
  InvalidOptionError,
  type OptionNames,
} from '@millrace/kit'

export interface ClientAddressOptions {
  /**
   * Addresses and subnets of the proxies whose word is taken, such as `['10.0.0.0/8', '::1']`; `'unix'` for a proxy on a Unix
   * socket. Default: none, the address is that of the connection, which cannot be forged
   */
  readonly trustedProxies?: readonly string[] | undefined
  /**
   * How many proxies in a row are trusted, whatever their addresses: the client is the one that the first of them has written. An
   * alternative to `trustedProxies`. Default: 0
   */
  readonly trustedHops?: number | undefined
  /**
   * How many bits of an IPv6 address tell clients apart, 1 to 128. Who has one address has 2^64 of them. Default: 64
   */
  readonly ipv6Prefix?: number | undefined
}

/** The names of {@link ClientAddressOptions}. */
const CLIENT_ADDRESS_OPTIONS: OptionNames<ClientAddressOptions> = {
  trustedProxies: true,
  trustedHops: true,
  ipv6Prefix: true,
}

/** Finds the address of a client. @returns undefined if the connection has none, such as one over a Unix socket */
export type ClientAddress = (
  remoteAddress: string | undefined,
  forwardedFor: string | undefined,
) => string | undefined

/**
 * Makes a function that finds the address of a client behind trusted proxies. `X-Forwarded-For` is read from its end, as
 * only what trusted proxies have added can be believed: the client is the first address that is none of them.
 *
 * @throws {InvalidOptionError} also for unknown names
 */
export function clientAddress(options: ClientAddressOptions = {}): ClientAddress {
  const {
    trustedProxies = [],
    trustedHops = 0,
    ipv6Prefix = 64,
  } = checkOptions('', options, CLIENT_ADDRESS_OPTIONS)
  checkInteger('ipv6Prefix', ipv6Prefix, 1, 128)
  checkInteger('trustedHops', trustedHops, 0, 100)
  checkList('trustedProxies', trustedProxies, 'an array of IP addresses and subnets')
  if (trustedHops > 0 && trustedProxies.length > 0) {
    throw new InvalidOptionError('trustedHops', '0 beside `trustedProxies`', trustedHops)
  }
  const unix = trustedProxies.includes('unix')
  const trusted = toBlockList(trustedProxies.filter(proxy => proxy !== 'unix'))
  const isTrusted = (address: string) => trusted.check(address, family(address))
  const last = (hops: string[]) => normalize(hops.pop()?.trim() ?? '')
  return (remoteAddress, forwardedFor) => {
    const hops = forwardedFor?.split(',') ?? []
    let client = normalize(remoteAddress ?? '')
    if (trustedHops > 0) {
      // Fewer than there should be were not written by all proxies: none of them can be believed.
      if (hops.length >= trustedHops) client = normalize(hops.at(-trustedHops)!.trim()) ?? client
    } else if (client === undefined && unix) client = last(hops)
    if (client === undefined) return undefined
    while (isTrusted(client) && hops.length > 0) {
      const next = last(hops)
      // What is no address was not written by a proxy that can be trusted.
      if (next === undefined) break
      client = next
    }
    return isIP(client) === 6 ? network(client, ipv6Prefix) : client
  }
}

function toBlockList(subnets: readonly string[]): BlockList {
  const list = new BlockList()
  for (const subnet of subnets) {
    if (typeof subnet !== 'string') {
      throw new InvalidOptionError('trustedProxies', 'an array of strings', subnet)
    }
    const [address = '', bits, rest] = subnet.split('/')
    const most = isIP(address) === 4 ? 32 : 128
    const prefix = bits === undefined ? most : Number(bits)
    const valid = isIP(address) !== 0 && rest === undefined && /^\d+$/.test(bits ?? '0')
    if (!valid || prefix > most) {
      throw new InvalidOptionError(
        'trustedProxies',
        'IP addresses or subnets such as 10.0.0.0/8',
        subnet,
      )
    }
    list.addSubnet(address, prefix, family(address))
  }
  return list
}

function family(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 4 ? 'ipv4' : 'ipv6'
}

/** An address without port, brackets, zone and IPv4-mapping, in its shortest form. */
function normalize(text: string): string | undefined {
  const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1] ?? text.replace(/^([\d.]+):\d+$/, '$1')
  const address = bare.replace(/%.*$/, '')
  const version = isIP(address)
  if (version === 0) return undefined
  if (version === 4) return address
  const short = new SocketAddress({ address, family: 'ipv6' }).address
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(short)?.[1] ?? short
}

/** The first address of a subnet, with its length: `2001:db8::/64`. */
function network(address: string, prefix: number): string {
  const [head = '', tail] = address.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const gap = tail === undefined ? 0 : 8 - left.length - right.length
  const groups = [...left, ...Array(gap).fill('0'), ...right].map(group =>
    Number.parseInt(group, 16),
  )
  const kept = groups.map((group, index) => {
    const bits = Math.min(16, Math.max(0, prefix - 16 * index))
    return (group & (0xffff << (16 - bits)) & 0xffff).toString(16)
  })
  const short = new SocketAddress({ address: kept.join(':'), family: 'ipv6' }).address
  return prefix === 128 ? short : `${short}/${prefix}`
}
