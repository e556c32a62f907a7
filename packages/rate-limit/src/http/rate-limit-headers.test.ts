import { VirtualClock } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LearnedLimit } from './learned-limit.ts'
import { parseRateLimitHeaders, rateLimitHeaders } from './rate-limit-headers.ts'

const decision = { allowed: true, limit: 100, remaining: 49.9, resetAfter: 29_001, retryAfter: 0 }

describe('RateLimit headers', () => {
  test('are written as the draft has them', () => {
    expect(rateLimitHeaders(decision, { name: 'default', quota: 100, window: 60_000 })).toEqual({
      'RateLimit-Policy': '"default";q=100;w=60',
      RateLimit: '"default";r=49;t=30',
    })
    const refused = { ...decision, allowed: false, remaining: 0, retryAfter: 1 }
    expect(rateLimitHeaders(refused, { name: 'a"b', quota: 5 })).toEqual({
      'RateLimit-Policy': '"a\\"b";q=5',
      RateLimit: '"a\\"b";r=0;t=0',
      'Retry-After': '1',
    })
  })

  test('are not written of what is no decision or no policy, nor read of what are no headers', () => {
    const policy = { name: 'default', quota: 100 }
    const refused = (option: string) => expect.objectContaining({ option })
    for (const wrong of [5, null, undefined, 'x']) {
      expect(() => rateLimitHeaders(wrong as never, policy)).toThrow(refused('decision'))
      expect(() => rateLimitHeaders(decision, wrong as never)).toThrow(refused('policy'))
      expect(() => parseRateLimitHeaders((wrong ?? null) as never)).toThrow(refused('headers'))
    }
    for (const name of ['remaining', 'resetAfter', 'retryAfter']) {
      for (const wrong of [Number.NaN, '5', undefined, null]) {
        expect(() => rateLimitHeaders({ ...decision, [name]: wrong }, policy)).toThrow(
          refused(`decision.${name}`),
        )
      }
    }
    for (const [name, wrong] of Object.entries({ name: 5, quota: Number.NaN, window: -1 })) {
      expect(() => rateLimitHeaders(decision, { ...policy, [name]: wrong })).toThrow(
        refused(`policy.${name}`),
      )
    }
    for (const wrong of [Number.NaN, Infinity, '5', null]) {
      expect(() => parseRateLimitHeaders({}, wrong as never)).toThrow(refused('now'))
    }
  })

  test('are read back as they were written', () =>
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme-ascii' }).filter(name => /^[ -~]*$/.test(name)),
        fc.nat(1e6),
        fc.nat(1e6),
        fc.nat(1e6),
        (name, remaining, quota, s) => {
          const written = rateLimitHeaders(
            { ...decision, remaining, resetAfter: s * 1_000 },
            { name, quota, window: 60_000 },
          )
          expect(parseRateLimitHeaders(written)).toEqual({
            limits: [{ name, remaining, quota, resetAfter: s * 1_000, window: 60_000 }],
            retryAfter: undefined,
            stored: false,
          })
        },
      ),
    ))

  test('several limits, parameters that are not known, and other quota units', () => {
    const headers = new Headers({
      'RateLimit-Policy':
        '"burst";q=100;w=60, "daily";q=1000;w=86400;qu="content-bytes";pk=:dHJpYWw=:',
      RateLimit: '"burst";r=50;t=30;acme-at=@1659578233 ,"daily";r=900;x=?1;y;z=%"f%c3%bcr"',
    })
    expect(parseRateLimitHeaders(headers).limits).toEqual([
      { name: 'burst', quota: 100, window: 60_000, remaining: 50, resetAfter: 30_000 },
      {
        name: 'daily',
        quota: 1_000,
        window: 86_400_000,
        unit: 'content-bytes',
        remaining: 900,
        resetAfter: undefined,
      },
    ])
  })

  test.each([
    '"a";r=1,',
    '"a";r=',
    '"a" "b"',
    '"a',
    '"a";R=1',
    '"a";r=1;;',
    '"a\n";r=1',
    '"a";r=1.2345',
    'é',
  ])('a malformed field counts as missing: %j', RateLimit => {
    expect(parseRateLimitHeaders({ RateLimit }).limits).toEqual([])
  })

  test('values of the wrong kind are left out', () => {
    expect(parseRateLimitHeaders({ RateLimit: '"a";r=-1, 5;r=3, "b";r=2;t=-4' }).limits).toEqual([
      { name: 'b', remaining: 2, resetAfter: undefined },
    ])
  })

  test('no text makes the parser throw or hang', () =>
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), text => {
        expect(Array.isArray(parseRateLimitHeaders({ ratelimit: text }).limits)).toBe(true)
      }),
    ))

  test('a name of other characters is percent-encoded, and stays another than others', () => {
    const labels = ['naïve\r\nX: 1', 'ü', 'ö', 'ü%', '100 %', '\ud800', '😀'].map(
      name => parseRateLimitHeaders(rateLimitHeaders(decision, { name, quota: 1 })).limits[0]!.name,
    )
    expect(labels).toEqual([
      'na%C3%AFve%0D%0AX: 1',
      '%C3%BC',
      '%C3%B6',
      '%C3%BC%25',
      '100 %',
      '%EF%BF%BD',
      '%F0%9F%98%80',
    ])
  })

  test('where nothing is left they tell when the next request could pass', () => {
    const policy = { name: 'a', quota: 100, window: 60_000 }
    const spent = { ...decision, remaining: 0.9 }
    const tell = (more: object) => rateLimitHeaders({ ...spent, ...more }, policy).RateLimit
    expect(tell({ nextAfter: 10 })).toBe('"a";r=0;t=0')
    expect(tell({ nextAfter: 1_700 })).toBe('"a";r=0;t=2')
    expect(tell({})).toBe('"a";r=0;t=30')
    expect(tell({ remaining: 1, nextAfter: 0 })).toBe('"a";r=1;t=30')
  })

  test('Retry-After in seconds and as a date, which is compared with the response’s own', () => {
    expect(parseRateLimitHeaders({ 'retry-after': '120' }).retryAfter).toBe(120_000)
    const date = {
      Date: 'Fri, 20 Nov 2026 10:00:00 GMT',
      'Retry-After': 'Fri, 20 Nov 2026 10:00:30 GMT',
    }
    expect(parseRateLimitHeaders(date, 0).retryAfter).toBe(30_000)
    const now = Date.parse('2026-11-20T10:00:20Z')
    expect(parseRateLimitHeaders({ 'Retry-After': date['Retry-After'] }, now).retryAfter).toBe(
      10_000,
    )
    expect(parseRateLimitHeaders({ 'Retry-After': 'soon' }).retryAfter).toBeUndefined()
  })

  test.each([
    ['30', 30_000],
    ['1795169430', 30_000],
    ['1795169430000', 30_000],
    ['0', 0],
  ])('older headers with a reset of %s', (reset, resetAfter) => {
    const headers = {
      'X-RateLimit-Remaining': '7',
      'X-RateLimit-Limit': '60',
      'X-RateLimit-Reset': reset,
    }
    expect(parseRateLimitHeaders(headers, 1_795_169_400_000).limits).toEqual([
      { name: 'x-ratelimit', remaining: 7, quota: 60, resetAfter },
    ])
  })
})

describe('LearnedLimit', () => {
  function setUp() {
    const clock = new VirtualClock()
    return { clock, limit: new LearnedLimit({ rate: 10, burst: 20, clock }) }
  }

  test('spends no more than the server has left', () => {
    const { limit } = setUp()
    limit.observe({ RateLimit: '"a";r=2;t=60' })
    expect([1, 2, 3].map(() => limit.tryAcquire())).toEqual([true, true, false])
  })

  test('stretches the last fifth of a quota over the time until it is reset, then forgets', async () => {
    const { clock, limit } = setUp()
    limit.observe({ 'RateLimit-Policy': '"a";q=100;w=60', RateLimit: '"a";r=10;t=20' })
    expect(limit.stats()).toMatchObject({ rate: 0.5, slowed: 1, observed: 1 })
    clock.advance(20_000)
    expect(limit.stats()).toMatchObject({ rate: 10, slowed: 0 })
    limit.observe({ 'RateLimit-Policy': '"a";q=100;w=60', RateLimit: '"a";r=90;t=60' })
    expect(limit.stats().rate).toBe(10)
  })

  test('waits for Retry-After, and for the reset of a quota that is used up', async () => {
    for (const headers of [{ 'Retry-After': '5' }, { RateLimit: '"a";r=0;t=5' }]) {
      const { clock, limit } = setUp()
      limit.observe(headers)
      let at = -1
      void limit.acquire().then(() => (at = clock.now()))
      await clock.advanceAsync(10_000)
      expect(at).toBe(5_000)
    }
  })

  test('Retry-After takes precedence over a reset, and what a cache has kept says nothing', async () => {
    const { clock, limit } = setUp()
    limit.observe({ RateLimit: '"a";r=0;t=60', 'Retry-After': '5' })
    let at = -1
    void limit.acquire().then(() => (at = clock.now()))
    await clock.advanceAsync(10_000)
    expect(at).toBe(5_000)
    limit.observe({ RateLimit: '"a";r=0;t=60', Age: '3' })
    expect(limit.stats()).toMatchObject({ observed: 1 })
    expect(limit.tryAcquire()).toBe(true)
  })

  test('takes bytes and open requests for no rate', () => {
    const { limit } = setUp()
    limit.observe({
      'RateLimit-Policy': '"open";q=4;qu="concurrent-requests", "a";q=100;qu="requests"',
      RateLimit: '"open";r=0, "a";r=50;t=60',
    })
    expect(limit.tryAcquire(20)).toBe(true)
  })

  test('says nothing about responses that say nothing', () => {
    const { limit } = setUp()
    limit.observe(new Headers({ 'content-type': 'text/plain' }))
    expect(limit.stats()).toMatchObject({ observed: 0, available: 20 })
    limit[Symbol.dispose]()
  })
})
