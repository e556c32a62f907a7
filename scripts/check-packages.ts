import { spawnSync } from 'node:child_process'
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
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
  const alone: string[] = []
  for (const entry of entries) {
    const specifier = manifest.name + entry.slice(1)
    checks.expect(`${specifier}: import`, () => {
      const loaded = load(project, `await import('${specifier}')`, 'module', optional)
      if (loaded === 'loaded') alone.push(specifier)
      return loaded !== 'failed'
    })
    checks.expect(
      `${specifier}: require`,
      () => load(project, `require('${specifier}')`, 'commonjs', optional) !== 'failed',
    )
  }
  checks.expect(`${manifest.name}: consumer`, () => consumerRuns(short, project))
  checks.expect(`${manifest.name}: bundle size`, () => keepsBundleSize(short, project))
  for (const bundler of ['esbuild', 'rolldown', 'webpack']) {
    checks.expect(`${manifest.name}: bundled by ${bundler}`, () =>
      bundleRuns(bundler, short, project, alone, optional),
    )
  }
  checks.expect(`${manifest.name}: source maps`, () =>
    hasLeanMaps(join(project, 'node_modules', manifest.name)),
  )
  checks.expect(`${manifest.name}: declarations`, () =>
    namesNoKit(join(project, 'node_modules', manifest.name)),
  )
  checks.expect(`${manifest.name}: links`, () =>
    linksHold(join(project, 'node_modules', manifest.name)),
  )
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
function load(
  project: string,
  code: string,
  type: 'module' | 'commonjs',
  optional: readonly string[],
): 'loaded' | 'peer missing' | 'failed' {
  const loaded = spawnSync('node', [`--input-type=${type}`, '--eval', code], {
    cwd: project,
    encoding: 'utf8',
  })
  if (loaded.status === 0) return 'loaded'
  const missing = /Cannot find (?:package|module) '([^']+)'/.exec(loaded.stderr)?.[1]
  if (missing !== undefined && optional.includes(missing)) return 'peer missing'
  console.error(loaded.stderr)
  return 'failed'
}

/** Bundles every entry that loads without further packages, with what scripts/bundles does with them, and runs it from an empty folder. */
function bundleRuns(
  bundler: string,
  short: string,
  project: string,
  specifiers: readonly string[],
  external: readonly string[],
): boolean {
  const entry = join(project, `bundled-by-${bundler}.js`)
  const namespaces = specifiers.map((_, index) => `entry${index}`)
  const use = join(root, 'scripts', 'bundles', `${short}.js`)
  writeFileSync(
    entry,
    [
      ...specifiers.map((name, index) => `import * as ${namespaces[index]} from '${name}'`),
      `if ([${namespaces}].some(entry => Object.keys(entry).length === 0)) throw new Error('an entry is empty')`,
      existsSync(use) ? readFileSync(use, 'utf8') : '',
    ].join('\n'),
  )
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bundle-'))
  const outfile = join(folder, 'bundle.mjs')
  try {
    return (
      run('node', [join(root, 'scripts', 'bundle.ts'), bundler, entry, outfile, ...external]) &&
      run('node', [outfile], {}, folder)
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Maps name the sources that the repository holds; a copy of them in the tarball would double its size. */
function hasLeanMaps(folder: string): boolean {
  return globSync('dist/**/*.map', { cwd: folder }).every(file => {
    const map: { sourcesContent?: unknown[] } = JSON.parse(readFileSync(join(folder, file), 'utf8'))
    return map.sourcesContent === undefined
  })
}

/** The kit is bundled and never published: nothing may ask for it. */
function namesNoKit(folder: string): boolean {
  return globSync('dist/**/*.{js,d.ts}', { cwd: folder }).every(
    file => !/['"]@millrace\/kit/.test(readFileSync(join(folder, file), 'utf8')),
  )
}

/** Links of the packed README lead to files of the tarball, headings of its own, or another site. */
function linksHold(folder: string): boolean {
  const readme = readFileSync(join(folder, 'README.md'), 'utf8')
  const headings = new Set(
    [...readme.matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
      heading!
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
  const dead = [...readme.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target!)
    .filter(target => {
      if (/^(https?|mailto):/.test(target)) return false
      if (target.startsWith('#')) return !headings.has(target.slice(1))
      return !existsSync(join(folder, target.split('#')[0]!))
    })
  for (const target of dead) console.error(`README.md: dead link ${target}`)
  return dead.length === 0
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
