import { failOnLostOutput } from '../packages/kit/src/calls/fail-on-lost-output.ts'
import { Checks } from './checks.ts'
import { installDebianPackages, onPath, requireRedisServer } from './redis-server.ts'
import { run, succeedsBeside } from './run.ts'

/** The real peers of the interop tests: program on PATH, and the Debian package that holds it. */
const peers: ReadonlyArray<readonly [program: string, debianPackage: string]> = [
  ['promtool', 'prometheus'],
  ['prometheus', 'prometheus'],
  ['chromium', 'chromium'],
  ['nginx', 'nginx-light'],
  ['haproxy', 'haproxy'],
  ['faketime', 'faketime'],
  ['pg_lsclusters', 'postgresql'],
]

/** The oldest Node the packages promise to run on, and the newest. */
const nodeVersions = ['22.19.0', '26.10.0']

/** vitest as a program for whichever Node is asked for: the one in node_modules/.bin starts its own. */
const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'vitest.versions.config.ts']

/** `npm run test:interop`: the tests against other real programs, a rehearsed release, every unit test on the other Node versions. */
async function main(filters: string[]): Promise<number> {
  const missing = () => peers.filter(([program]) => onPath(program) === undefined)
  if (missing().length > 0) installDebianPackages([...new Set(missing().map(([, name]) => name))])
  if (missing().length > 0) {
    const programs = missing().map(([program, name]) => `${program} (Debian: ${name})`)
    console.error(`The interop tests need other programs on PATH: install ${programs.join(', ')}.`)
    return 1
  }
  const checks = new Checks()
  const redis = requireRedisServer()
  const env = redis ? { REDIS_SERVER_BIN: redis } : {}
  // Once, as two builds at a time would write the same files.
  await checks.expect('build', () =>
    run('turbo', ['run', 'build', '--filter=./packages/*', '--output-logs=errors-only']),
  )
  const built = { ...env, MILLRACE_BUILT: '1' }
  const versions = async () => {
    await checks.expect('two releases', () =>
      succeedsBeside('node', ['scripts/rehearse-release.ts'], built),
    )
    for (const version of nodeVersions) {
      await checks.expect(`unit tests on Node ${version}`, () =>
        // Other versions of Node differ in features, not in what random runs find: `npm test` makes those.
        succeedsBeside(
          'npx',
          ['--yes', '--package', `node@${version}`, '--', 'node', ...vitest, ...filters],
          { MILLRACE_TEST_SCALE: '0.05', ...env },
        ),
      )
    }
  }
  await Promise.all([
    versions(),
    checks.expect('interop', () =>
      run('vitest', ['run', '--config', 'vitest.interop.config.ts', ...filters], built),
    ),
  ])
  return checks.report()
}

failOnLostOutput()
process.exitCode = await main(process.argv.slice(2))
