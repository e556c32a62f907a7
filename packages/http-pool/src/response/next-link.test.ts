import { describe, expect, test } from 'vitest'
import type { BodyContent, JsonOptions } from '../index.ts'
import { server, useUpstream } from '../testing/upstream.fixture.ts'
import { nextLink } from './next-link.ts'

const makePool = useUpstream({ retry: false })

test('pages follow the links to the next one, with the same headers', async () => {
  server.on('*', ({ url, headers }) => {
    const page = Number(new URL(url, server.origin).searchParams.get('page') ?? 1)
    return {
      body: JSON.stringify([page, headers.authorization]),
      headers: page < 3 ? { link: `</items?page=${page + 1}>; rel="next", </x>; rel=last` } : {},
    }
  })
  const seen: unknown[] = []
  const options = { headers: { authorization: 'a' }, query: { size: 5 } }
  for await (const { body } of makePool().pages(server.url('/items'), options)) {
    seen.push(await body.json())
  }
  expect(seen).toEqual([
    [1, 'a'],
    [2, 'a'],
    [3, 'a'],
  ])
  expect(server.requests.map(({ url }) => url)).toEqual([
    '/items?size=5',
    '/items?page=2',
    '/items?page=3',
  ])
})

test('pages end where they lead in a circle, and bodies that were not read keep no connection', async () => {
  server.on('/a', { body: 'a', headers: { link: '</b>; rel="next"' } })
  server.on('/b', { body: 'b', headers: { link: '</a>; rel="next"' } })
  const pool = makePool({ connectionsPerHost: 1 })
  const urls: string[] = []
  for await (const { url } of pool.pages(server.url('/a'))) urls.push(url)
  expect(urls).toEqual([server.url('/a'), server.url('/b')])
  expect(pool.stats()).toMatchObject({ pending: 0, created: 1 })
})

test('pages of another origin get no credentials', async () => {
  const elsewhere = server.url('/b').replace('127.0.0.1', 'localhost')
  server.on('/a', { body: '1', headers: { link: `<${elsewhere}>; rel="next"` } })
  server.on('/b', ({ headers }) => ({ body: JSON.stringify([headers.cookie, headers['x-a']]) }))
  const seen: unknown[] = []
  const headers = { cookie: 'secret', 'x-a': 'kept' }
  for await (const { body } of makePool().pages(server.url('/a'), { headers })) {
    seen.push(await body.json())
  }
  expect(seen).toEqual([1, [null, 'kept']])
})

describe('the next link of', () => {
  test.each([
    ['</2>; rel="next"', '/2'],
    ['<2>;rel=next', '/dir/2'],
    ['</1>; rel="prev", </2>; title="a, b; c"; rel="last next"', '/2'],
    ['</2>; REL="Next"', '/2'],
    ['</2>; title="rel=next"', undefined],
    ['</2>; title="a; rel=x"; rel=next', '/2'],
    ['</2>; title="\\"; rel=x"; rel=next', '/2'],
    ['</2>; title=it"s; rel=next', '/2'],
    ['</2>; rel=next; rel=prev', '/2'],
    ['</1>; rel=prev; rel=next', undefined],
    ['</2>; rev=next; rel', undefined],
    ['<</2>; rel=next', '/2'],
    ['</2>; rel="nextish"', undefined],
    ['not a link', undefined],
    [['</1>; rel=prev', '</2>; rel=next'], '/2'],
    [undefined, undefined],
  ])('%j is %s', (link, path) => {
    expect(nextLink(link, 'http://a.example/dir/1')?.pathname).toBe(path)
  })
})

test('onProgress tells of what was sent and what has come', async () => {
  server.on('*', { body: 'x'.repeat(3_000), chunkSize: 1_000, chunkDelay: 5 })
  const seen: [string, number, number | undefined][] = []
  const { body } = await makePool().request(server.url('/'), {
    method: 'POST',
    body: [Buffer.alloc(10), Buffer.alloc(20)],
    onProgress: ({ direction, bytes, total }) => seen.push([direction, bytes, total]),
  })
  await body.text()
  const uploads = seen.filter(([direction]) => direction === 'upload')
  const downloads = seen.filter(([direction]) => direction === 'download')
  expect(uploads.at(-1)).toEqual(['upload', 30, undefined])
  expect(downloads.at(-1)?.[1]).toBe(3_000)
  expect(downloads.map(([, bytes]) => bytes)).toEqual(
    [...downloads.map(([, bytes]) => bytes)].sort((a, b) => a - b),
  )
})

test.each<[string, BodyContent]>([
  ['a text', 'x'.repeat(30)],
  ['bytes', Buffer.alloc(30)],
  ['an ArrayBuffer', new ArrayBuffer(30)],
  ['a Blob', new Blob(['x'.repeat(30)])],
  ['URLSearchParams', new URLSearchParams({ a: 'x'.repeat(28) })],
])('onProgress knows how long %s is', async (_name, content) => {
  const seen: unknown[] = []
  const { body } = await makePool().request(server.url('/'), {
    method: 'POST',
    body: content,
    onProgress: ({ direction, bytes, total }) => {
      if (direction === 'upload') seen.push([bytes, total])
    },
  })
  await body.dump()
  expect(seen.at(-1)).toEqual([30, 30])
})

test.each([
  ['what has come', undefined],
  ['what was sent', 'text'],
])('an onProgress that waits is refused when it is told of %s', async (_name, body) => {
  const onProgress = async () => {
    throw new Error('nobody hears of this')
  }
  const pool = makePool()
  const ended = pool.json(server.url('/'), { onProgress, ...(body && { body }) } as JsonOptions)
  await expect(ended).rejects.toMatchObject({
    code: 'ERR_MILLRACE_INVALID_OPTION',
    option: 'onProgress',
  })
  await expect.poll(() => pool.stats()).toMatchObject({ pending: 0, deadlines: 0 })
})

test('what onProgress throws is the error of the call', async () => {
  server.on('*', { body: 'text' })
  const onProgress = () => {
    throw new Error('no progress')
  }
  const pool = makePool()
  await expect(pool.json(server.url('/'), { onProgress })).rejects.toThrow('no progress')
  expect(pool.stats()).toMatchObject({ pending: 0, deadlines: 0 })
})
