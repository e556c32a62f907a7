// Runs the suite of http-cache-tests against one cache, in a process of its own: the suite keeps its results and
// its server in globals. Arguments: the folder of the suite, the cache, its type.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { MemoryStore } from '@millrace/cache-core/memory'
import { freePort } from '@millrace/testkit'
import { Agent, type Dispatcher, fetch, Headers, interceptors, request } from 'undici'
import { type CachedResponses, HttpPool } from '../index.ts'

export type Contender = 'undici' | 'pool' | 'pool with a store'
export type CacheType = 'private' | 'shared'
/** By id: passed, or why not. */
export type Results = Record<string, true | [name: string, message: string]>

interface Suite {
  runTests(
    tests: unknown[],
    fetch: (url: string, init: never) => Promise<unknown>,
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

interface Call {
  readonly method?: Dispatcher.HttpMethod
  readonly headers?: [name: string, value: string][]
  readonly body?: string
}

/** Put in by the suite, where no browser's cache is tested, so that `fetch` does not add its own. */
const isTrick = ([name, value]: [string, string]): boolean =>
  (name === 'Pragma' && value === 'foo') || value === 'nothing-to-see-here'

/** What a shared cache is called by: `fetch` asks past every cache where the caller has a condition of its own, as its standard wants. */
async function call(url: string, given: Call = {}): Promise<object> {
  const { method = 'GET', headers = [], body = null } = given
  const fields = headers.filter(field => !isTrick(field)).flat()
  const answer = await request(url, { method, headers: fields, body, dispatcher })
  const { statusCode: status } = answer
  const found = new Headers()
  for (const [name, value = ''] of Object.entries(answer.headers)) {
    for (const each of [value].flat()) found.append(name, each)
  }
  const text = await answer.body.text()
  // No Response, whose status is at most 599: the suite's server has one of its own.
  return { status, headers: found, text: async () => text }
}

const fetchThrough = (url: string, init: object) => fetch(url, { ...init, dispatcher })
await runTests(
  tests,
  type === 'private' ? fetchThrough : call,
  type === 'private',
  `http://localhost:${port}`,
  50,
)
process.send!(getResults(), () => process.exit())
