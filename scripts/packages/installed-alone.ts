import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { keepsBundleSize } from '../bundle-size.ts'
import type { Checks } from '../checks.ts'
import { finished, succeeds } from '../run.ts'
import { install, makeProject } from './project.ts'
import { type PublishedPackage, root } from './published-package.ts'
import { linksHold } from './readme-links.ts'

/** Installs a package with nothing but what it needs, loads every entry by `import` and by `require`, and uses it as its consumer does. */
export async function checkInstalledAlone(
  published: PublishedPackage,
  tarballs: ReadonlyMap<string, string>,
  project: string,
  checks: Checks,
): Promise<void> {
  const { name, short } = published
  makeProject(project)
  const own = [name, ...published.needed]
    .map(each => tarballs.get(each))
    .filter(path => path !== undefined)
  if (!(await checks.expect(`${name}: install alone`, () => install(project, own)))) return
  const installed = join(project, 'node_modules', name)
  await Promise.all([
    checkLoads(published, 'import', project, checks),
    checkLoads(published, 'require', project, checks),
    checks.expect(`${name}: consumer`, () => consumerRuns(short, project)),
    checks.expect(`${name}: bundle size`, () => keepsBundleSize(short, project)),
    checks.expect(`${name}: source maps`, () => hasLeanMaps(installed)),
    checks.expect(`${name}: declarations`, () => namesNoKit(installed)),
    checks.expect(`${name}: links`, () => linksHold(installed)),
  ])
}

/** Loads the entries one by one; a missing optional peer is the one failure allowed, as the peer is the user's to add. */
async function checkLoads(
  { entries, optionalPeers }: PublishedPackage,
  way: 'import' | 'require',
  project: string,
  checks: Checks,
): Promise<void> {
  const load = way === 'import' ? 'await import(entry)' : 'require(entry)'
  const code = `(async () => {
    for (const entry of ${JSON.stringify(entries)}) {
      try { ${load}; console.log(entry + '\\tloaded') }
      catch (error) { console.log(entry + '\\t' + error.message.split('\\n', 1)[0]) }
    }
  })()`
  const type = way === 'import' ? 'module' : 'commonjs'
  const { stdout, stderr } = await finished(
    'node',
    [`--input-type=${type}`, '--eval', code],
    project,
  )
  const outcomes = new Map(
    stdout
      .split('\n')
      .filter(line => line.includes('\t'))
      .map(line => line.split('\t') as [string, string]),
  )
  for (const entry of entries) {
    await checks.expect(`${entry}: ${way}`, () => {
      const outcome = outcomes.get(entry) ?? `not reached: ${stderr}`
      const missing = /Cannot find (?:package|module) '([^']+)'/.exec(outcome)?.[1]
      if (outcome === 'loaded' || optionalPeers.includes(missing!)) return true
      console.error(outcome)
      return false
    })
  }
}

/** Type-checks the package's ten-line consumer against the declarations in the tarball, builds it and runs it. */
async function consumerRuns(short: string, project: string): Promise<boolean> {
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
  return (
    (await succeeds('tsc', ['-p', project])) && (await succeeds('node', ['consumer.js'], project))
  )
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
