// Runs the suite of http-cache-tests against one cache, in a process of its own: the suite keeps its results and
// its server in globals. Arguments: the folder of the suite, the cache, its type.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { MemoryStore } from '@millrace/cache-core/memory'
import { freePort } from '@millrace/testkit'
import { Agent, type Dispatcher, fetch, interceptors, Response } from 'undici'
import { type CachedResponses, HttpPool } from '../index.ts'

export type Contender = 'undici' | 'pool' | 'pool with a store'
export type CacheType = 'private' | 'shared'
/** By id: passed, or why not. */
export type Results = Record<string, true | [name: string, message: string]>

interface Suite {
  runTests(
    tests: unknown[],
    fetch: (url: string, init: object) => Promise<unknown>,
    browserCache: boolean,
    base: string,
    chunkSize: number,
  ): Promise<void>
  getResults(): Results
}

const [folder, contender, type] = process.argv.slice(2) as [string, Contender, CacheType]

function makeDispatcher(): Dispatcher {
  if (contender === 'undici') return new Agent().compose(interceptors.cache({ type }))
  const store = new MemoryStore<CachedResponses>()
  return new HttpPool({
    connectionsPerHost: 100,
    retry: false,
    cache: contender === 'pool' ? { type } : { type, store },
  }).dispatcher
}

const load = (path: string): Promise<unknown> => import(pathToFileURL(join(folder, path)).href)

const port = await freePort()
Object.assign(process.env, {
  npm_config_protocol: 'http',
  npm_config_port: String(port),
  npm_config_pidfile: join(folder, `${port}.pid`),
})
// The suite reports to the console what it gets out of place on purpose.
console.log = () => {}
console.error = () => {}
await load('server/server.mjs')
const { runTests, getResults } = (await load('client/runner.mjs')) as Suite
const { default: tests } = (await load('tests/index.mjs')) as { default: unknown[] }
const dispatcher = makeDispatcher()
Object.assign(globalThis, { Response })
const fetchThrough = (url: string, init: object) => fetch(url, { ...init, dispatcher })
await runTests(tests, fetchThrough, type === 'private', `http://localhost:${port}`, 50)
process.send!(getResults(), () => process.exit())
