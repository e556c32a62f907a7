import { expect, test } from 'vitest'
import { correspond, freshened } from './freshened-headers.ts'

const stored = {
  statusCode: 200,
  statusMessage: 'OK',
  headers: { etag: '"a"', 'content-type': 'text/plain', 'content-length': '4', 'x-kind': 'old' },
  etag: '"a"',
  cacheControlDirectives: {},
  cachedAt: 0,
  staleAt: 0,
  deleteAt: 0,
}

test('what describes the stored bytes or the connection stays, all else is renewed', () => {
  const notModified = {
    date: 'Wed, 01 Jan 2025 00:00:00 GMT',
    etag: '"a"',
    connection: 'keep-alive',
    'content-length': '0',
    'content-type': 'text/html',
    'x-kind': 'new',
    'x-more': ['1', '2'],
  }
  expect(freshened(stored.headers, notModified)).toEqual({
    date: 'Wed, 01 Jan 2025 00:00:00 GMT',
    etag: '"a"',
    'content-length': '4',
    'content-type': 'text/plain',
    'x-kind': 'new',
    'x-more': ['1', '2'],
  })
})

test('a 304 without a date is as old as its arrival', () => {
  const { date } = freshened({ date: 'Wed, 01 Jan 2020 00:00:00 GMT' }, {})
  expect(Date.now() - Date.parse(String(date))).toBeLessThan(60_000)
})

test.each<[string, Record<string, string>, Record<string, string>, boolean]>([
  ['the stored entity', { 'if-none-match': '"a"' }, { etag: '"a"' }, true],
  ['no entity', { 'if-none-match': '"a"' }, {}, true],
  ['the stored entity, weakly', { 'if-none-match': '"a"' }, { etag: 'W/"a"' }, true],
  ['another entity', { 'if-none-match': '"a"' }, { etag: '"b"' }, false],
  ['an answer to another condition', { 'if-none-match': '"b"' }, { etag: '"a"' }, false],
  ['all that may vary', { 'if-none-match': '"a"' }, { vary: 'accept, *' }, false],
])('a 304 that names %s', (_name, request, notModified, expected) => {
  expect(correspond(request, notModified, stored)).toBe(expected)
})

test('a strong entity tag does not stand for one that was kept as weak, or not at all', () => {
  const weak = { ...stored, etag: 'W/"a"' }
  expect(correspond({ 'if-none-match': 'W/"a"' }, { etag: '"a"' }, weak)).toBe(false)
  expect(correspond({ 'if-none-match': 'W/"a"' }, { etag: 'W/"a"' }, weak)).toBe(true)
  const { etag: _etag, ...dated } = stored
  expect(correspond({ 'if-modified-since': 'x' }, { etag: '"a"' }, dated)).toBe(false)
  expect(correspond({ 'if-modified-since': 'x' }, {}, dated)).toBe(true)
})
