import { requireRedisServer } from './redis-server.ts'
import { run } from './run.ts'

/** `npm test`: lint (import cycles included), types, public surfaces, every test that needs no more than Node and a Redis binary. */
function main(filters: string[]): number {
  let redis: string | undefined
  try {
    redis = requireRedisServer()
  } catch (error) {
    console.error((error as Error).message)
    return 1
  }
  const env = redis ? { REDIS_SERVER_BIN: redis } : {}
  const lint = run('biome', ['check', '.'])
  // One program for all: each package's own would check the sources of those below it again.
  const types = run('tsc', ['-p', 'tsconfig.json'])
  const api = types && run('node', ['scripts/api-report.ts'])
  const tests = run('vitest', ['run', ...filters], env)
  const parts = { lint, types, api, tests }
  for (const [name, passed] of Object.entries(parts)) {
    console.log(`${name}: ${passed ? 'passed' : 'FAILED'}`)
  }
  return Object.values(parts).every(Boolean) ? 0 : 1
}

process.exitCode = main(process.argv.slice(2))
