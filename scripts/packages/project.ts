import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { succeeds } from '../run.ts'

/** Makes an empty project of a user's; `install` adds to it. */
export function makeProject(folder: string): void {
  mkdirSync(folder)
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'consumer', private: true, type: 'module' }),
  )
}

export function install(folder: string, packages: readonly string[]): Promise<boolean> {
  const flags = ['--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error']
  return succeeds('npm', ['install', ...flags, ...packages], folder)
}
