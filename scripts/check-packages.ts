import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { failOnLostOutput } from '../packages/kit/src/calls/fail-on-lost-output.ts'
import { Checks } from './checks.ts'
import { checkInstalledAlone } from './packages/installed-alone.ts'
import { checkInstalledTogether } from './packages/installed-together.ts'
import { type PublishedPackage, publishedPackages } from './packages/published-package.ts'
import { run, succeeds } from './run.ts'

/**
 * Checks what a user would install, not what lies in the tree: builds every package, packs it, lints the tarball, installs it alone
 * into an empty project and uses it there, and installs all of them together, where every entry is bundled, run and type-checked.
 */
async function main(): Promise<number> {
  const checks = new Checks()
  const packages = publishedPackages()
  await checks.expect('build', () => run('turbo', ['run', 'build', '--output-logs=errors-only']))

  const work = mkdtempSync(join(tmpdir(), 'millrace-packages-'))
  try {
    const tarballs = new Map<string, string>()
    const packing = packages.map(each =>
      checks.expect(`${each.name}: pack`, async () => {
        tarballs.set(each.name, await each.pack(work))
        return true
      }),
    )
    const knip = checks.expect('knip', () => succeeds('knip', []))
    await Promise.all(packing)
    const packed = packages.filter(({ name }) => tarballs.has(name))
    await Promise.all([
      knip,
      checkInstalledTogether(packed, tarballs, join(work, 'together'), checks),
      ...packed.flatMap(each => [
        lint(each, tarballs.get(each.name)!, checks),
        checkInstalledAlone(each, tarballs, join(work, each.short), checks),
      ]),
    ])
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
  return checks.report()
}

async function lint({ name }: PublishedPackage, tarball: string, checks: Checks): Promise<void> {
  await Promise.all([
    checks.expect(`${name}: publint`, () => succeeds('publint', ['run', tarball, '--strict'])),
    checks.expect(`${name}: attw`, () =>
      succeeds('attw', [tarball, '--profile', 'esm-only', '--quiet']),
    ),
  ])
}

failOnLostOutput()
process.exitCode = await main()
