import { failOnLostOutput } from '../packages/kit/src/calls/fail-on-lost-output.ts'
import { requireRedisServer } from './redis-server.ts'
import { run, succeedsBeside } from './run.ts'

/** `npm test`: lint (import cycles included), types, public surfaces, every test that needs no more than Node and a Redis binary. */
async function main(filters: string[]): Promise<number> {
  let redis: string | undefined
  try {
    redis = requireRedisServer()
  } catch (error) {
    console.error((error as Error).message)
    return 1
  }
  const env = redis ? { REDIS_SERVER_BIN: redis } : {}
  // Before the tests, which write files that come and go.
  const lint = await run('biome', ['check', '.'])
  // Beside them, as they wait a third of their time for other processes.
  const [surface, tests] = await Promise.all([
    checkTypes(),
    run('vitest', ['run', ...filters], env),
  ])
  const parts = { lint, ...surface, tests }
  for (const [name, passed] of Object.entries(parts)) {
    console.log(`${name}: ${passed ? 'passed' : 'FAILED'}`)
  }
  return Object.values(parts).every(Boolean) ? 0 : 1
}

async function checkTypes(): Promise<Record<'types' | 'api', boolean>> {
  // One program for all: each package's own would check the sources of those below it again.
  const types = await succeedsBeside('tsc', ['-p', 'tsconfig.json'])
  const api = types && (await succeedsBeside('node', ['scripts/api-report.ts']))
  return { types, api }
}

failOnLostOutput()
process.exitCode = await main(process.argv.slice(2))
