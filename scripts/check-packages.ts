import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { keepsBundleSize } from './bundle-size.ts'
import { Checks } from './checks.ts'
import { run } from './run.ts'

interface Manifest {
  name: string
  private?: boolean
  publishConfig?: { exports?: Record<string, unknown> }
  dependencies?: Record<string, string>
  peerDependencies?: Record<string, string>
  peerDependenciesMeta?: Record<string, { optional?: boolean }>
}

interface PublishedPackage {
  readonly folder: string
  readonly short: string
  readonly manifest: Manifest
}

const root = resolve(import.meta.dirname, '..')

/**
 * Checks what a user would install, not what lies in the tree: builds every package, packs it, lints the tarball,
 * installs it alone into an empty project, loads every entry by `import` and by `require`, and type-checks and runs
 * the consumer in scripts/consumers.
 */
function main(): number {
  const checks = new Checks()
  const packages = publishedPackages()
  checks.expect('build', () => run('turbo', ['run', 'build', '--output-logs=errors-only']))
  checks.expect('knip', () => run('knip', []))

  const work = mkdtempSync(join(tmpdir(), 'millrace-packages-'))
  try {
    const tarballs = new Map<string, string>()
    for (const { folder, manifest } of packages) {
      checks.expect(`${manifest.name}: pack`, () => {
        tarballs.set(manifest.name, pack(folder, work))
        return true
      })
    }
    for (const published of packages) checkTarball(published, tarballs, work, checks)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
  return checks.report()
}

function publishedPackages(): PublishedPackage[] {
  return readdirSync(join(root, 'packages'))
    .map(short => {
      const folder = join(root, 'packages', short)
      const manifest: Manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
      return { folder, short, manifest }
    })
    .filter(({ manifest }) => manifest.private !== true)
}

/** Packs with pnpm, which replaces `workspace:` ranges and applies publishConfig; returns the tarball's path. */
function pack(folder: string, destination: string): string {
  const target = join(destination, `${folder.split('/').pop()}.tgz`)
  const packed = spawnSync('pnpm', ['pack', '--out', target], { cwd: folder, encoding: 'utf8' })
  if (packed.status !== 0) throw new Error(packed.stdout + packed.stderr)
  return target
}

function checkTarball(
  { short, manifest }: PublishedPackage,
  tarballs: ReadonlyMap<string, string>,
  work: string,
  checks: Checks,
): void {
  const tarball = tarballs.get(manifest.name)
  if (!tarball) return
  checks.expect(`${manifest.name}: publint`, () => run('publint', ['run', tarball, '--strict']))
  checks.expect(`${manifest.name}: attw`, () =>
    run('attw', [tarball, '--profile', 'esm-only', '--quiet']),
  )

  const project = join(work, short)
  mkdirSync(project)
  writeFileSync(
    join(project, 'package.json'),
    JSON.stringify({ name: 'consumer', private: true, type: 'module' }),
  )
  const siblings = Object.keys({ ...manifest.dependencies, ...requiredPeers(manifest) })
    .map(name => tarballs.get(name))
    .filter(path => path !== undefined)
  const installed = checks.expect(`${manifest.name}: install alone`, () =>
    run(
      'npm',
      ['install', '--no-audit', '--no-fund', '--loglevel=error', tarball, ...siblings],
      {},
      project,
    ),
  )
  if (!installed) return

  const entries = Object.keys(manifest.publishConfig?.exports ?? {}).filter(
    entry => entry !== './package.json',
  )
  const optional = Object.keys(manifest.peerDependencies ?? {}).filter(
    name => manifest.peerDependenciesMeta?.[name]?.optional,
  )
  for (const entry of entries) {
    const specifier = manifest.name + entry.slice(1)
    checks.expect(`${specifier}: import`, () =>
      loads(project, `await import('${specifier}')`, 'module', optional),
    )
    checks.expect(`${specifier}: require`, () =>
      loads(project, `require('${specifier}')`, 'commonjs', optional),
    )
  }
  checks.expect(`${manifest.name}: consumer`, () => consumerRuns(short, project))
  checks.expect(`${manifest.name}: bundle size`, () => keepsBundleSize(short, project))
}

function requiredPeers({
  peerDependencies,
  peerDependenciesMeta,
}: Manifest): Record<string, string> {
  return Object.fromEntries(
    Object.entries(peerDependencies ?? {}).filter(
      ([name]) => !peerDependenciesMeta?.[name]?.optional,
    ),
  )
}

/** Loads an entry in a child; a missing optional peer is the one failure allowed, as the peer is the user's to add. */
function loads(
  project: string,
  code: string,
  type: 'module' | 'commonjs',
  optional: readonly string[],
): boolean {
  const loaded = spawnSync('node', [`--input-type=${type}`, '--eval', code], {
    cwd: project,
    encoding: 'utf8',
  })
  if (loaded.status === 0) return true
  const missing = /Cannot find (?:package|module) '([^']+)'/.exec(loaded.stderr)?.[1]
  if (missing !== undefined && optional.includes(missing)) return true
  console.error(loaded.stderr)
  return false
}

/** Type-checks the package's ten-line consumer against the declarations in the tarball, builds it and runs it. */
function consumerRuns(short: string, project: string): boolean {
  const source = readFileSync(join(root, 'scripts', 'consumers', `${short}.ts`), 'utf8')
  writeFileSync(join(project, 'consumer.ts'), source)
  writeFileSync(
    join(project, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: {
        target: 'es2022',
        lib: ['es2023', 'esnext.disposable'],
        module: 'nodenext',
        strict: true,
        exactOptionalPropertyTypes: true,
        skipLibCheck: false,
        types: ['node'],
        typeRoots: [join(root, 'node_modules', '@types')],
      },
      files: ['consumer.ts'],
    }),
  )
  return run('tsc', ['-p', project]) && run('node', ['consumer.js'], {}, project)
}

process.exitCode = main()
