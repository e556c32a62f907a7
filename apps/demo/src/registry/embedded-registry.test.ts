import { afterEach, expect, test, vi } from 'vitest'
import { EmbeddedRegistry, type EmbeddedRegistryOptions } from './embedded-registry.ts'

let registry: EmbeddedRegistry | undefined
afterEach(async () => {
  vi.restoreAllMocks()
  await registry?.[Symbol.asyncDispose]()
})

const manifests = async () => [
  { name: '@scope/a', version: '1.10.0', license: 'MIT' },
  { name: '@scope/a', version: '1.9.0' },
  { name: 'b', version: '0.1.0' },
]

async function start(options: Partial<EmbeddedRegistryOptions> = {}): Promise<URL> {
  registry = new EmbeddedRegistry({ manifests, latency: [0, 1], unavailableOneIn: 1e9, ...options })
  return registry.listen()
}

test('answers with the versions of an installed package, the highest as latest', async () => {
  const response = await fetch(new URL('@scope%2Fa', await start()))
  expect(response.status).toBe(200)
  const document = (await response.json()) as Record<string, Record<string, unknown>>
  expect(document['dist-tags']).toEqual({ latest: '1.10.0' })
  expect(Object.keys(document.versions!)).toEqual(['1.9.0', '1.10.0'])
  expect(document.versions!['1.10.0']).toMatchObject({ license: 'MIT' })
})

test('a known validator is answered 304 without a body', async () => {
  const url = new URL('b', await start())
  const etag = (await fetch(url)).headers.get('etag')!
  const again = await fetch(url, { headers: { 'if-none-match': etag } })
  expect([again.status, await again.text()]).toEqual([304, ''])
  const other = await fetch(url, { headers: { 'if-none-match': '"other"' } })
  expect(other.status).toBe(200)
})

test('unknown names are 404, also those that every object has', async () => {
  const base = await start()
  for (const name of ['nothing', 'constructor', '__proto__']) {
    expect((await fetch(new URL(name, base))).status).toBe(404)
  }
})

test('more requests in a second than allowed are told when to come again', async () => {
  const base = await start({ requestsPerSecond: 5 })
  // All of them within one second of its clock.
  vi.spyOn(performance, 'now').mockReturnValue(performance.now())
  const responses = await Promise.all(Array.from({ length: 40 }, () => fetch(new URL('b', base))))
  const refused = responses.filter(response => response.status === 429)
  expect(refused).toHaveLength(35)
  expect(refused[0]!.headers.get('retry-after')).toBe('1')
})

test('is unavailable now and then', async () => {
  const base = await start({ unavailableOneIn: 3 })
  const statuses = []
  for (let i = 0; i < 6; i++) statuses.push((await fetch(new URL('b', base))).status)
  expect(statuses).toEqual([200, 200, 503, 200, 200, 503])
})

test('manifests are read at the first request, once', async () => {
  let reads = 0
  const base = await start({
    manifests: () => {
      reads++
      return manifests()
    },
  })
  expect(reads).toBe(0)
  await Promise.all([fetch(new URL('b', base)), fetch(new URL('@scope%2Fa', base))])
  expect(reads).toBe(1)
})
