import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { InvalidOptionError } from '../errors.ts'
import { clientAddress } from './client-address.ts'

describe('clientAddress', () => {
  test('without trusted proxies nothing that a client sends changes its address', () =>
    fc.assert(
      fc.property(fc.string(), forwarded => {
        expect(clientAddress()('203.0.113.9', forwarded)).toBe('203.0.113.9')
      }),
    ))

  const behind = clientAddress({ trustedProxies: ['10.0.0.0/8', '::1', '2001:db8:1::/48'] })

  test.each([
    ['10.0.0.1', '198.51.100.7', '198.51.100.7'],
    ['10.0.0.1', 'spoofed, 198.51.100.7, 10.2.3.4', '198.51.100.7'],
    ['10.0.0.1', '1.1.1.1, 198.51.100.7', '198.51.100.7'],
    ['::ffff:10.0.0.1', '198.51.100.7:4711', '198.51.100.7'],
    ['10.0.0.1', '[2001:db8:2::5]:443', '2001:db8:2::/64'],
    ['2001:db8:1::9', '198.51.100.7', '198.51.100.7'],
    ['::1', undefined, '::/64'],
    ['10.0.0.1', undefined, '10.0.0.1'],
    ['10.0.0.1', '', '10.0.0.1'],
    ['10.0.0.1', 'unknown', '10.0.0.1'],
    ['10.0.0.1', '198.51.100.7, unknown', '10.0.0.1'],
    ['203.0.113.9', '198.51.100.7', '203.0.113.9'],
    [undefined, '198.51.100.7', undefined],
  ])('from %s with %s it is %s', (remote, forwarded, expected) => {
    expect(behind(remote, forwarded)).toBe(expected)
  })

  test.each([
    [1, 'spoofed, 198.51.100.7', '198.51.100.7'],
    [1, '198.51.100.7', '198.51.100.7'],
    [2, '1.1.1.1, 198.51.100.7, 10.2.3.4', '198.51.100.7'],
    [2, '198.51.100.7:4711,10.2.3.4', '198.51.100.7'],
    // Fewer than there should be were not written by all proxies.
    [3, '198.51.100.7, 10.2.3.4', '203.0.113.9'],
    [1, 'unknown', '203.0.113.9'],
    [1, '', '203.0.113.9'],
    [1, undefined, '203.0.113.9'],
    [0, '198.51.100.7', '203.0.113.9'],
  ])('behind %i proxies of whatever address %s is %s', (trustedHops, forwarded, expected) => {
    expect(clientAddress({ trustedHops })('203.0.113.9', forwarded)).toBe(expected)
  })

  test('proxies are trusted by their number or by their addresses, not by both', () => {
    const both = { trustedHops: 1, trustedProxies: ['10.0.0.0/8'] }
    expect(() => clientAddress(both)).toThrow(InvalidOptionError)
    for (const wrong of [-1, 0.5, Infinity, '1', null]) {
      expect(() => clientAddress({ trustedHops: wrong as never })).toThrow(InvalidOptionError)
    }
  })

  test('IPv6 addresses of one subnet are one client, however they are written', () => {
    const address = clientAddress()
    const same = ['2001:db8::1', '2001:0db8:0:0:ffff::2', '2001:db8::1%eth0']
    expect(new Set(same.map(text => address(text, undefined)))).toEqual(new Set(['2001:db8::/64']))
    expect(address('2001:db8:0:1::1', undefined)).toBe('2001:db8:0:1::/64')
    expect(clientAddress({ ipv6Prefix: 128 })('2001:db8::1', undefined)).toBe('2001:db8::1')
    expect(clientAddress({ ipv6Prefix: 52 })('2001:db8:0:1fff::1', undefined)).toBe(
      '2001:db8:0:1000::/52',
    )
  })

  test.each([['10.0.0.0/33'], ['proxy.example'], ['10.0.0.0/8/8'], ['10.0.0.1/x'], ['']])(
    'refuses the proxy %j',
    proxy => {
      expect(() => clientAddress({ trustedProxies: [proxy] })).toThrow(InvalidOptionError)
    },
  )
})
