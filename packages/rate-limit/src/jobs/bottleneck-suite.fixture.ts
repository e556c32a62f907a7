import { readdirSync } from 'node:fs'
import { createRequire, registerHooks } from 'node:module'
import { dirname, join } from 'node:path'
import Bottleneck from 'bottleneck'
import { mendErrors } from './shared-connection.ts'

/**
 * Runs the test files that bottleneck ships, on ioredis, and prints one line of JSON per test: `{ name, error? }`.
 * Arguments: `ours` for our connection object or `plain` for bottleneck's own, and the one test to run; default all. They are written for mocha; what they use of it is here, so that no second copy of ioredis'
 * dependencies comes in with mocha.
 */

type Body = (this: Scope, done?: (error?: unknown) => void) => unknown

interface Scope {
  timeout(ms: number): void
}

interface Suite {
  name: string
  tests: { name: string; body: Body }[]
  beforeEach: Body[]
  afterEach: Body[]
}

const require = createRequire(import.meta.url)
const suites: Suite[] = []
let current: Suite | undefined

function describe(name: string, body: () => void): void {
  current = { name, tests: [], beforeEach: [], afterEach: [] }
  suites.push(current)
  const suite = current
  const outer = nested
  nested = outer === '' ? name : `${outer} ${name}`
  suite.name = nested
  body()
  nested = outer
  current = suites.find(({ name: other }) => other === outer)
}

let nested = ''
const it = (name: string, body: Body) => current!.tests.push({ name, body })
const hooks = {
  beforeEach: (body: Body) => current!.beforeEach.push(body),
  afterEach: (body: Body) => current!.afterEach.push(body),
}

/** Where a callback throws, mocha blames the test that runs: how it is told. */
let blamed: (error: unknown) => void = () => {}
process.on('uncaughtException', error => blamed(error))

async function run(body: Body): Promise<void> {
  let limit = 10_000
  const scope = { timeout: (ms: number) => (limit = ms) }
  const finished = new Promise<unknown>((resolve, reject) => {
    if (body.length > 0) body.call(scope, error => (error ? reject(error) : resolve(undefined)))
    else resolve(body.call(scope))
  })
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    blamed = reject
    timer = setTimeout(() => reject(new Error(`no end after ${limit} ms`)), limit)
  })
  await Promise.race([finished, late]).finally(() => clearTimeout(timer))
}

/** @returns what the test or one of its hooks failed with; those after it run in any case, as they close connections */
async function runTest(suite: Suite, body: Body): Promise<unknown> {
  let failure: unknown
  const attempt = (step: Body) => run(step).catch(error => (failure ??= error))
  for (const hook of suite.beforeEach) await attempt(hook)
  if (failure === undefined) await attempt(body)
  for (const hook of suite.afterEach) await attempt(hook)
  return failure
}

async function main(): Promise<void> {
  // Some tests rely on ioredis' default port; the server of this run listens on another.
  const defaults = require(join(dirname(require.resolve('ioredis')), 'redis/RedisOptions.js'))
  defaults.DEFAULT_REDIS_OPTIONS.port = Number(process.env.REDIS_PORT)
  const ioredis = require.resolve('ioredis')
  registerHooks({
    resolve: (specifier, context, next) =>
      next(specifier === 'ioredis' ? ioredis : specifier, context),
  })
  const [connection, wanted] = process.argv.slice(2)
  if (connection === 'ours') mendErrors(Bottleneck.IORedisConnection.prototype as never)
  Object.assign(globalThis, { describe, it, ...hooks })

  const folder = join(dirname(require.resolve('bottleneck/package.json')), 'test')
  // The other client has its own file.
  const files = readdirSync(folder).filter(file => file.endsWith('.js') && file !== 'node_redis.js')
  for (const file of files) require(join(folder, file))
  for (const suite of suites) {
    for (const { name, body } of suite.tests) {
      const full = `${suite.name}: ${name}`
      if (wanted !== undefined && full !== wanted) continue
      const error = await runTest(suite, body)
      const message = error === undefined ? undefined : String((error as Error).stack ?? error)
      process.stdout.write(`\n@ ${JSON.stringify({ name: full, error: message })}\n`)
    }
  }
  // Behind the last line.
  process.stdout.write('', () => process.exit(0))
}

await main()
