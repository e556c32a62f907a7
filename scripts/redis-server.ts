import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/**
 * Finds a Redis server for the tests: `REDIS_SERVER_BIN`, then `redis-server` or `valkey-server` on PATH,
 * then, on Debian as root, the `redis-server` package, which it installs and says so.
 *
 * @returns the program's path, or undefined when the user asked to leave the Redis tests out
 * @throws {Error} with one sentence that says what to install
 */
export function requireRedisServer(): string | undefined {
  if (process.env.MILLRACE_SKIP_REDIS === '1') return undefined
  const named = process.env.REDIS_SERVER_BIN
  if (named) {
    if (isExecutable(named)) return named
    throw new Error(`REDIS_SERVER_BIN names ${named}, which is not an executable file.`)
  }
  const found = onPath('redis-server') ?? onPath('valkey-server')
  if (found) return found
  if (installDebianPackages(['redis-server'])) {
    const installed = onPath('redis-server')
    if (installed) return installed
  }
  throw new Error(
    'The tests need a real Redis: install redis-server or valkey-server (Debian: apt-get install redis-server), ' +
      'or set REDIS_SERVER_BIN to the program, or MILLRACE_SKIP_REDIS=1 to leave those tests out.',
  )
}

/**
 * Installs Debian packages when this is Debian and the user is root.
 *
 * @returns whether they are installed now; false elsewhere, with nothing changed
 */
export function installDebianPackages(packages: readonly string[]): boolean {
  if (!existsSync('/etc/debian_version') || process.getuid?.() !== 0) return false
  console.log(`Installing Debian packages: ${packages.join(', ')}`)
  // RUNLEVEL=1 keeps the packages' own services from starting: they would take default ports and outlive the run.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  const quiet = ['-y', '-qq', '--no-install-recommends', '-o', 'Dpkg::Use-Pty=0']
  const install = () =>
    spawnSync('apt-get', ['install', ...quiet, ...packages], {
      env,
      stdio: ['ignore', 'ignore', 'inherit'],
    })
  if (install().status === 0) return true
  spawnSync('apt-get', ['update', '-qq'], { env, stdio: ['ignore', 'ignore', 'inherit'] })
  return install().status === 0
}

/** The full path of a program on PATH. */
export function onPath(program: string): string | undefined {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    if (folder && isExecutable(join(folder, program))) return join(folder, program)
  }
  return undefined
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
