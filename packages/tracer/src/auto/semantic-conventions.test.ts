import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http, { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { TieredCache } from '@millrace/cache-core/tiered'
import { RedisStore } from '@millrace/cache-redis'
import { HttpPool } from '@millrace/http-pool'
import { setHttpRoute } from '@millrace/kit'
import { TokenBucket } from '@millrace/rate-limit'
import { RedisServer } from '@millrace/testkit'
import { Redis } from 'ioredis'
import { request as undiciRequest } from 'undici'
import { expect, test } from 'vitest'
import { type FinishedSpan, MemoryExporter } from '../export/memory-exporter.ts'
import { resourceOf } from '../export/resource.ts'
import { SpanKind } from '../span/api/span.ts'
import { Tracer } from '../tracer/tracer.ts'
import { type InstrumentOptions, instrument } from './instrument.ts'

/** The attributes of the conventions' registry, and those among them that are deprecated. */
function registry(): { names: ReadonlySet<string>; deprecated: ReadonlySet<string> } {
  const names = new Set<string>()
  const deprecated = new Set<string>()
  const entry = fileURLToPath(import.meta.resolve('@opentelemetry/semantic-conventions'))
  for (const file of ['stable_attributes', 'experimental_attributes']) {
    const text = readFileSync(entry.replace(/index\.mjs$/, `${file}.d.mts`), 'utf8')
    for (const [, comment, name] of text.matchAll(
      /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*(?:export )?declare const ATTR_\w+: "([^"]+)"/g,
    )) {
      names.add(name!)
      if (comment!.includes('@deprecated')) deprecated.add(name!)
    }
  }
  return { names, deprecated }
}

const isText = (value: unknown) => typeof value === 'string' && value !== ''
const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 1

/** What the conventions say of the values. An attribute that is emitted without a rule here fails the test. */
const rules: Record<string, (value: unknown, span: FinishedSpan) => boolean> = {
  // A host or an address: no scheme, no port, no brackets.
  'server.address': value => isText(value) && /^(?:[\w.-]+|[0-9a-f:.]+)$/i.test(value as string),
  'server.port': value => isCount(value) && (value as number) < 65_536,
  'http.request.method': value =>
    /^(?:GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH|QUERY|_OTHER)$/.test(String(value)),
  'http.request.method_original': (value, { attributes }) =>
    isText(value) && attributes['http.request.method'] === '_OTHER',
  'http.request.resend_count': isCount,
  'http.response.status_code': value => isCount(value) && (value as number) < 1_000,
  'http.route': value => /^\/[^?]*$/.test(String(value)),
  'url.path': value => /^\/[^?#]*$/.test(String(value)),
  'url.scheme': value => value === 'http' || value === 'https',
  // Absolute, without query and without credentials.
  'url.full': value => /^https?:\/\/[^/?#@]+\/[^?#]*$/.test(String(value)),
  'network.protocol.version': value => /^\d(?:\.\d)?$/.test(String(value)),
  'db.system.name': value => value === 'redis',
  'db.namespace': value => /^\d+$/.test(String(value)),
  'db.operation.name': isText,
  'db.operation.batch.size': value => isCount(value) && (value as number) > 1,
  'error.type': isText,
  'exception.type': isText,
  'exception.message': isText,
  'exception.stacktrace': isText,
}

/** What must be there, by kind of span and the family it belongs to. */
function required({ kind, attributes }: FinishedSpan): string[] {
  if ('db.system.name' in attributes) return ['db.operation.name']
  if (!('http.request.method' in attributes)) return []
  if (kind === SpanKind.SERVER) return ['url.path', 'url.scheme']
  return kind === SpanKind.CLIENT
    ? ['server.address', 'server.port', 'url.full']
    : ['server.address']
}

/** One of everything that is instrumented, well and badly. */
async function everything(options: InstrumentOptions): Promise<FinishedSpan[]> {
  const exporter = new MemoryExporter()
  const tracer = new Tracer({ exporter, signals: [] })
  using _ = instrument(tracer, { roots: true, ...options })
  await using redis = await RedisServer.start()
  let first = true
  const server = createServer((incoming, response) => {
    if (incoming.url === '/reset') return void incoming.socket.destroy()
    setHttpRoute(incoming, '/path/:id')
    response.statusCode = first ? 503 : 200
    first = false
    response.end('"fine"')
  }).listen(0, '::1')
  await once(server, 'listening')
  const url = `http://[::1]:${(server.address() as AddressInfo).port}`
  const rejects = (call: Promise<unknown>) => expect(call).rejects.toThrow()
  {
    await using pool = new HttpPool({
      limiter: new TokenBucket({ rate: 1_000, burst: 1, name: 'upstream' }),
      retry: { baseDelay: 1 },
    })
    await pool.json(`${url}/path/1?q=1`)
    await rejects(pool.json(`${url}/reset`))
    await (await fetch(`${url}/path/2?q=1`)).text()
    await (await undiciRequest(`${url}/path/3`, { method: 'GET' })).body.dump()
    const [answer] = await once(
      http.request(`${url}/path/4?q=1`, { method: 'PROPFIND' }).end(),
      'response',
    )
    ;(answer as http.IncomingMessage).resume()
    await once(answer as http.IncomingMessage, 'end')
    await rejects(fetch(`${url}/reset`))
    await rejects(once(http.get(`${url}/reset`), 'response'))

    const client = new Redis(redis.url)
    await client.multi().set('a', 1).get('a').exec()
    await client.multi().get('a').exec()
    await rejects(client.call('NOSUCH'))
    await client.quit()
    // Longer than a machine stands still: a call that is given up has other attributes.
    const [timeout, storeTimeout] = [60_000, 60_000]
    await using store = new RedisStore<string>({ url: redis.url, prefix: 'users', timeout })
    const cache = new TieredCache<string>({ store, ttl: 60_000, storeTimeout })
    await cache.getOrLoadMany(['a', 'b'], async keys => new Map(keys.map(key => [key, key])))
    await cache.getOrLoad('c', async () => 'c')
  }
  server.closeAllConnections()
  server.close()
  // The server may hear of the end of an answer after its client.
  await expect.poll(() => tracer.stats().started - tracer.stats().ended).toBe(0)
  await tracer.close()
  return exporter.spans
}

test.each([['detailed'], ['single']] as const)(
  'all attributes of all spans are of the conventions, or ours by name (%s)',
  async outgoing => {
    const { names, deprecated } = registry()
    expect(names.size).toBeGreaterThan(500)
    const spans = await everything({ outgoing })
    const emitted = new Set<string>()
    for (const span of spans) {
      const all = [span.attributes, ...span.events.map(event => event.attributes)]
      for (const attributes of all) {
        for (const [name, value] of Object.entries(attributes)) {
          emitted.add(name)
          if (name.startsWith('millrace.')) continue
          expect(names, name).toContain(name)
          expect(deprecated, name).not.toContain(name)
          expect(rules[name]?.(value, span), `${span.name}: ${name}=${value}`).toBe(true)
        }
      }
      for (const name of required(span)) expect(span.attributes, span.name).toHaveProperty([name])
      // Neither paths nor keys are in names.
      expect(span.name).toMatch(/^[\w. ]+(?: \/path\/:id)?$/)
    }
    const missing = Object.keys(rules).filter(name => !emitted.has(name))
    const elsewhere = outgoing === 'single' ? [] : ['http.request.resend_count']
    expect(missing).toEqual(elsewhere)
  },
)

test('the resource has what the conventions require of an SDK', () => {
  const { names } = registry()
  for (const name of Object.keys(resourceOf('shop'))) expect(names).toContain(name)
})
