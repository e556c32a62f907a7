import { expect, test, vi } from 'vitest'
import { retryAfter } from './retry-after.ts'

const at = (time: string) => () => Date.parse(time)

test.each([
  ['0', 0],
  ['120', 120_000],
  ['-5', undefined],
  ['1.5', undefined],
  ['soon', undefined],
  ['', undefined],
])('Retry-After: %s', (value, expected) => {
  expect(retryAfter({ 'retry-after': value })).toBe(expected)
})

test('a date counts from the Date of the response, not from our clock', () => {
  const headers = {
    'retry-after': 'Fri, 20 Nov 2026 10:00:30 GMT',
    date: 'Fri, 20 Nov 2026 10:00:00 GMT',
  }
  expect(retryAfter(headers, at('2026-11-20T13:37:00Z'))).toBe(30_000)
})

test('a date without Date counts from our clock, and never backwards', () => {
  const headers = { 'retry-after': 'Fri, 20 Nov 2026 10:00:30 GMT' }
  expect(retryAfter(headers, at('2026-11-20T10:00:10Z'))).toBe(20_000)
  expect(retryAfter(headers, at('2026-11-20T11:00:00Z'))).toBe(0)
})

test.each(['UTC', 'America/New_York', 'Asia/Kolkata'])(
  'a date without a zone is GMT in %s',
  zone => {
    vi.stubEnv('TZ', zone)
    try {
      const headers = { 'retry-after': 'Sun Nov  1 10:00:30 2026' }
      expect(retryAfter(headers, at('2026-11-01T10:00:10Z'))).toBe(20_000)
      expect(retryAfter({ ...headers, date: 'Sun, 01 Nov 2026 10:00:00 GMT' })).toBe(30_000)
    } finally {
      vi.unstubAllEnvs()
    }
  },
)

test('an absent or repeated header says nothing', () => {
  expect(retryAfter({})).toBeUndefined()
  expect(retryAfter({ 'retry-after': ['1', '2'] })).toBeUndefined()
})
