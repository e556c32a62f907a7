import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { failOnLostOutput } from '../packages/kit/src/calls/fail-on-lost-output.ts'
import { Checks } from './checks.ts'
import { run, succeeds } from './run.ts'

const root = resolve(import.meta.dirname, '..')
const verdaccio = '6.10.4'

/** What a project asks for after the first release, and goes on asking for after the second. */
const ranges = {
  '@millrace/cache-core': '^0.1.0',
  '@millrace/cache-files': '^0.1.0',
  '@millrace/cache-redis': '^0.1.0',
}

/** The packages of which one builds on another. */
const only = Object.keys(ranges).map(name => `--filter=${name}`)

/**
 * Publishes two releases to a registry on loopback, the second with a breaking (minor, as all is 0.x) change of cache-core alone, and
 * installs by npm and pnpm what projects then have in their package.json: the ranges of the first release, and the newest of all.
 * The rule that makes both work stands in SUPPORT.md.
 */
async function main(): Promise<number> {
  const checks = new Checks()
  const work = mkdtempSync(join(tmpdir(), 'millrace-release-'))
  const copy = join(work, 'repository')
  let registry: RunningRegistry | undefined
  try {
    await Promise.all([
      checks.expect('registry', async () => {
        registry = await startRegistry(work)
        return true
      }),
      checks.expect('copy of the repository', () => cloneInto(copy)),
    ])
    if (registry === undefined) return checks.report()
    const { url } = registry
    await checks.expect('first release', () => release(copy, url, []))
    await checks.expect('second release', () => release(copy, url, ['@millrace/cache-core']))
    const newest = Object.fromEntries(Object.keys(ranges).map(name => [name, 'latest']))
    await Promise.all(
      (['npm', 'pnpm'] as const).flatMap(client => [
        checks.expect(`${client}: the first release's ranges`, () =>
          installs(join(work, `${client}-old`), client, url, ranges, '0.1.'),
        ),
        checks.expect(`${client}: the newest`, () =>
          installs(join(work, `${client}-new`), client, url, newest, '0.2.'),
        ),
      ]),
    )
  } finally {
    registry?.process.kill()
    rmSync(work, { recursive: true, force: true })
  }
  return checks.report()
}

/**
 * What is built is the same in both releases, whose code does not differ, so it is the tree's. The copy has no history, in which
 * `changeset version` would look for the commit of each changeset for a minute.
 */
async function cloneInto(copy: string): Promise<boolean> {
  const installing = ['--frozen-lockfile', '--prefer-offline', '--ignore-scripts', '--silent']
  const built =
    process.env.MILLRACE_BUILT === '1' ||
    (await run('turbo', ['run', 'build', ...only, '--output-logs=errors-only']))
  const made =
    built &&
    (await succeeds('git', ['clone', '--quiet', '--no-hardlinks', root, copy])) &&
    (await succeeds('git', ['checkout', '--quiet', '--orphan', 'rehearsal'], copy)) &&
    (await commit(copy)) &&
    (await succeeds('pnpm', ['install', ...installing, '--filter=millrace', ...only], copy))
  if (!made) return false
  for (const name of Object.keys(ranges)) {
    const dist = join('packages', name.slice('@millrace/'.length), 'dist')
    cpSync(join(root, dist), join(copy, dist), { recursive: true })
  }
  return true
}

/** Turns the changesets that are there, and one for each package in `broken`, into versions, and publishes them. */
async function release(
  copy: string,
  registry: string,
  broken: readonly string[],
): Promise<boolean> {
  for (const name of broken) {
    const file = join(copy, '.changeset', `${name.replace(/\W/g, '-')}.md`)
    writeFileSync(file, `---\n'${name}': minor\n---\n\nBreak something.\n`)
  }
  return (
    (await succeeds('changeset', ['version'], copy)) &&
    (await commit(copy)) &&
    (await succeeds(
      'pnpm',
      ['--recursive', ...only, 'publish', '--no-git-checks', '--silent', '--registry', registry],
      copy,
      { NPM_CONFIG_PROVENANCE: 'false', ...token(registry) },
    ))
  )
}

/** All there is, as what a release is made from. */
async function commit(copy: string): Promise<boolean> {
  const identity = ['-c', 'user.name=release', '-c', 'user.email=release@example.test']
  return (
    (await succeeds('git', ['add', '--all'], copy)) &&
    (await succeeds('git', [...identity, 'commit', '--quiet', '--message', 'Version'], copy))
  )
}

/** Any token will do: the registry lets everybody publish, but clients insist on one. */
function token(registry: string): NodeJS.ProcessEnv {
  return { [`npm_config_${registry.slice('http:'.length)}:_authToken`]: 'anybody' }
}

async function installs(
  project: string,
  client: 'npm' | 'pnpm',
  registry: string,
  dependencies: Readonly<Record<string, string>>,
  expected: string,
): Promise<boolean> {
  mkdirSync(project)
  writeFileSync(
    join(project, 'package.json'),
    JSON.stringify({
      name: 'consumer',
      private: true,
      type: 'module',
      dependencies: { ...dependencies, ioredis: '^6.0.0' },
    }),
  )
  writeFileSync(join(project, '.npmrc'), `@millrace:registry=${registry}\n`)
  const flags = client === 'npm' ? ['--no-audit', '--no-fund', '--loglevel=error'] : ['--silent']
  if (!(await succeeds(client, ['install', ...flags], project))) return false
  const versions = Object.keys(dependencies).map(name => {
    const manifest = join(project, 'node_modules', name, 'package.json')
    return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version
  })
  const imports = Object.keys(dependencies).map(name => `await import('${name}')`)
  return (
    versions.every(version => version.startsWith(expected)) &&
    (await succeeds('node', ['--input-type=module', '--eval', imports.join(';')], project))
  )
}

interface RunningRegistry {
  readonly url: string
  readonly process: ChildProcess
}

async function startRegistry(work: string): Promise<RunningRegistry> {
  const config = join(work, 'registry.yaml')
  writeFileSync(
    config,
    [
      `storage: ${join(work, 'storage')}`,
      'packages:',
      "  '@millrace/*': { access: $all, publish: $anonymous }",
      'log: { type: stdout, format: pretty, level: warn }',
    ].join('\n'),
  )
  const program = join(work, 'registry')
  mkdirSync(program)
  writeFileSync(
    join(program, 'package.json'),
    JSON.stringify({
      private: true,
      dependencies: { verdaccio },
      // One of its plugins asks for a dist-tag, which not every mirror of the public registry has.
      overrides: { 'node-fetch': '2.7.0' },
    }),
  )
  const flags = ['--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error']
  if (!(await succeeds('npm', ['install', ...flags], program))) {
    throw new Error(`verdaccio ${verdaccio} could not be installed`)
  }
  const port = await freePort()
  const url = `http://127.0.0.1:${port}/`
  const child = spawn(
    join(program, 'node_modules', '.bin', 'verdaccio'),
    ['--config', config, '--listen', `127.0.0.1:${port}`],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  )
  for (let attempt = 0; attempt < 600; attempt++) {
    if (child.exitCode !== null) throw new Error(`verdaccio ended with ${child.exitCode}`)
    const answered = await fetch(`${url}-/ping`).then(
      response => response.ok,
      () => false,
    )
    if (answered) return { url, process: child }
    await sleep(200)
  }
  child.kill()
  throw new Error('verdaccio did not answer')
}

function freePort(): Promise<number> {
  return new Promise((resolvePort, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolvePort(port))
    })
  })
}

failOnLostOutput()
process.exitCode = await main()
