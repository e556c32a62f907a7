import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { acceptsGzip, preferences } from './accept.ts'
import { negotiate } from './negotiate.ts'

describe('Accept-Encoding', () => {
  it.each([
    [undefined, false],
    ['', false],
    ['gzip', true],
    ['br;q=1.0, GZIP;q=0.2', true],
    ['x-gzip', true],
    ['*', true],
    ['gzip;q=0', false],
    ['gzip; q = 0.000, *', false],
    ['br, *;q=0', false],
    ['identity', false],
    ['not-gzip-at-all', false],
    ['gzip;q=high', false],
  ])('%j allows gzip: %s', (header, expected) => {
    expect(acceptsGzip(header)).toBe(expected)
  })
})

describe('Accept', () => {
  it.each([
    'text/plain;note="a, b; version=9";version=1.0.0;escaping=dots',
    'text/plain;note="a \\" , b";version=1.0.0;escaping="dots"',
    ' ,, text/html , TEXT/PLAIN ; VERSION = 1.0.0 ; ESCAPING = DOTS ;;',
    'text/plain;version=1.0.0;escaping=dots;q=0.5, application/openmetrics-text;q=0',
    'text/plain;unclosed="',
  ])('of %j is read by its own rules', accept => {
    const expected = accept.includes('unclosed') ? 'underscores' : 'dots'
    expect(negotiate(accept, false)).toMatchObject({ kind: 'prometheus', escaping: expected })
  })

  it('of any text leads to some format, in time that grows with its length only', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab=;,"\\ *'), maxLength: 300 }), accept => {
        expect(negotiate(accept, true).contentType).toMatch(/^(text|application)\//)
        for (const { quality } of preferences(accept)) expect(quality).toBeTypeOf('number')
      }),
    )
    expect(negotiate(`${'\\"'.repeat(2 ** 20)},text/plain`, true).kind).toBe('prometheus')
  })
})
