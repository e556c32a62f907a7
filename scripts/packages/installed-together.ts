import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire, stripTypeScriptTypes } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Checks } from '../checks.ts'
import { finished, succeeds } from '../run.ts'
import { install, makeProject } from './project.ts'
import { type PublishedPackage, root } from './published-package.ts'

/** A service that has all of the family, and all that its entries may be used with: every entry is bundled, run and type-checked in it. */
export async function checkInstalledTogether(
  packages: readonly PublishedPackage[],
  tarballs: ReadonlyMap<string, string>,
  project: string,
  checks: Checks,
): Promise<void> {
  makeProject(project)
  const peers = Object.assign(frameworks(), ...packages.map(each => each.testedPeers))
  const foreign = Object.entries<string>(peers).map(([name, version]) => `${name}@${version}`)
  const all = [...tarballs.values(), ...foreign]
  if (!(await checks.expect('install together', () => install(project, all)))) return
  const entries = packages.flatMap(each => each.entries)
  const inputs = writeInputs(packages, entries, project)
  await Promise.all([
    ...['esbuild', 'rolldown', 'webpack'].map(bundler =>
      checks.expect(`every entry bundled by ${bundler}`, () =>
        bundlesRun(bundler, inputs, entries, project),
      ),
    ),
    ...typeChecks(entries, project).map(({ name, holds }) => checks.expect(name, holds)),
  ])
}

/** What the guides and the typed routes of the integration tests need besides. */
function frameworks(): Record<string, string> {
  const { devDependencies } = JSON.parse(
    readFileSync(join(root, 'integration', 'package.json'), 'utf8'),
  ) as { devDependencies: Record<string, string> }
  return Object.fromEntries(
    Object.entries(devDependencies).filter(([name]) => !name.startsWith('typescript')),
  )
}

/** What is bundled, by the name of its file: each entry by itself, and the programs that use some of them. */
function writeInputs(
  packages: readonly PublishedPackage[],
  entries: readonly string[],
  project: string,
): string {
  const folder = join(project, 'bundled')
  mkdirSync(folder)
  for (const [index, entry] of entries.entries()) {
    writeFileSync(join(folder, `entry-${index}.js`), `export * from '${entry}'\n`)
  }
  for (const { short } of packages) {
    for (const [kind, extension] of [
      ['consumers', 'ts'],
      ['bundles', 'js'],
    ] as const) {
      const file = join(root, 'scripts', kind, `${short}.${extension}`)
      if (!existsSync(file)) continue
      const code = stripTypeScriptTypes(readFileSync(file, 'utf8'))
      writeFileSync(join(folder, `use-${kind}-${short}.js`), code)
    }
  }
  return folder
}

/** Bundles the inputs, each into one file, and runs them from a folder that has nothing else. */
async function bundlesRun(
  bundler: string,
  inputs: string,
  entries: readonly string[],
  project: string,
): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bundle-'))
  try {
    const bundled = join(root, 'scripts', 'packages', 'bundle.ts')
    if (!(await succeeds('node', [bundled, bundler, inputs, folder]))) return false
    const names = await exportedNames(entries, project)
    writeFileSync(join(folder, 'names.json'), JSON.stringify(names))
    const runner = join(root, 'scripts', 'packages', 'run-bundles.ts')
    return await succeeds('node', [runner, folder], folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** What each entry exports before it is bundled. */
async function exportedNames(entries: readonly string[], project: string): Promise<unknown> {
  const code = `
    const names = []
    for (const entry of ${JSON.stringify(entries)}) names.push(Object.keys(await import(entry)))
    console.log(JSON.stringify(names))`
  const { ok, stdout, stderr } = await finished(
    'node',
    ['--input-type=module', '-e', code],
    project,
  )
  if (!ok) throw new Error(stderr)
  return JSON.parse(stdout)
}

const compilers = {
  'TypeScript 5.9': createRequire(join(root, 'integration', 'package.json')).resolve(
    'typescript-5.9/lib/tsc.js',
  ),
  'TypeScript 7': join(root, 'node_modules', 'typescript', 'bin', 'tsc'),
}

/** What a strict user's compiler says of every entry's declarations, those of its peers included, of typed applications and the guides. */
function typeChecks(
  entries: readonly string[],
  project: string,
): readonly { readonly name: string; holds(): Promise<boolean> }[] {
  const imports = entries.map((entry, index) => `import * as entry${index} from '${entry}'`)
  const uses = entries.map((_, index) => `entry${index}`)
  writeFileSync(
    join(project, 'types.ts'),
    `${imports.join('\n')}\nexport const all: readonly object[] = [${uses}]\n`,
  )
  const routes = join('integration', 'src', 'guides', 'typed-routes.fixture.ts')
  copyFileSync(join(root, routes), join(project, 'typed-routes.ts'))
  const guides = writeGuides(project)
  return Object.entries(compilers).flatMap(([compiler, program]) => {
    const check = (name: string, options: object, files: readonly string[]) => ({
      name: `${name} under ${compiler}`,
      holds: () => {
        const config = join(project, `${compiler} ${name}.json`.replaceAll(' ', '-'))
        const compilerOptions = { ...strictest, ...options }
        writeFileSync(config, JSON.stringify({ compilerOptions, files }))
        return succeeds('node', [program, '-p', config, '--pretty', 'false'], project)
      },
    })
    const bundler = { module: 'preserve', moduleResolution: 'bundler' }
    // Nest's decorators are those before the standard. What the frameworks' declarations lack is not ours.
    const nest = { experimentalDecorators: true, emitDecoratorMetadata: true, skipLibCheck: true }
    return [
      check('declarations, nodenext', { module: 'nodenext' }, ['types.ts']),
      check('declarations, bundler', bundler, ['types.ts']),
      check('guides and typed routes', { module: 'nodenext', ...nest }, [
        ...guides,
        'typed-routes.ts',
      ]),
    ]
  })
}

const strictest = {
  target: 'es2024',
  lib: ['es2024', 'esnext.disposable', 'esnext.collection', 'esnext.iterator'],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: false,
  noEmit: true,
  types: ['node'],
  typeRoots: [join(root, 'node_modules', '@types')],
}

/** The programs of the guides, each in a file of its own. */
function writeGuides(project: string): string[] {
  const written: string[] = []
  for (const guide of ['real-service', 'frameworks']) {
    const text = readFileSync(join(root, 'docs', `${guide}.md`), 'utf8')
    for (const [, code] of text.matchAll(/^```tsx?\n(.*?)^```/gms)) {
      const file = `${guide}-${written.length}.ts`
      writeFileSync(join(project, file), code!)
      written.push(file)
    }
  }
  return written
}
