import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { DependenciesOf } from '@millrace/cache-core/warm'
import {
  checkFunction,
  checkInteger,
  checkMethods,
  checkOptions,
  checkPath,
  checkSignal,
  InvalidOptionError,
  type OptionNames,
} from '@millrace/kit'
import { type CallOptions, checkIterable } from '../call-options.ts'
import { FileReadError, GitError } from '../errors.ts'
import type { FileTable } from '../table/file-table.ts'

/**
 * Files from their roots along what they depend on, nearest first, each once, also in circles.
 *
 * @param dependenciesOf where it throws, the file is taken to depend on none
 * @param depth how many steps from a root, >= 0
 * @throws {InvalidOptionError} at the first step
 */
export async function* dependencyOrder(
  roots: Iterable<string> | AsyncIterable<string>,
  dependenciesOf: DependenciesOf<string>,
  depth: number,
): AsyncGenerator<string, void> {
  checkIterable('roots', roots)
  checkFunction('dependenciesOf', dependenciesOf)
  checkInteger('depth', depth, 0)
  const seen = new Set<string>()
  for await (const root of roots) seen.add(root)
  let level: readonly string[] = [...seen]
  for (let step = 0; level.length > 0; step++) {
    const next: string[] = []
    for (const path of level) {
      yield path
      if (step === depth) continue
      for (const dependency of await dependencies(path, dependenciesOf)) {
        if (seen.has(dependency)) continue
        seen.add(dependency)
        next.push(dependency)
      }
    }
    level = next
  }
}

async function dependencies(
  path: string,
  dependenciesOf: DependenciesOf<string>,
): Promise<Iterable<string>> {
  let found: Iterable<string>
  try {
    found = await dependenciesOf(path)
  } catch {
    // The next call for the file will be told.
    return []
  }
  return checkIterable('dependenciesOf', found, 'a function that returns an iterable of paths')
}

/**
 * Files of the last run (`files.load`) that are no longer as they were then, in the order in which it asked for them. A `stat` each.
 *
 * @throws {InvalidOptionError}
 */
export function changedFiles(files: FileTable): Generator<string, void> {
  return changedOf(checkMethods('files', files, 'a FileTable', ['peek', 'knownSync']))
}

function* changedOf(files: FileTable): Generator<string, void> {
  for (const path of files.lastOrder) {
    const before = files.peek(path)
    try {
      if (files.knownSync(path) !== before) yield path
    } catch (error) {
      if (!(error instanceof FileReadError)) throw error
      // Its state is unknown, for instance for want of a descriptor, for which a load can wait. One that went needs no warming.
      if (error.reason === 'failed') yield path
    }
  }
}

/** Options of {@link changedByGit}. */
export interface ChangedByGitOptions extends CallOptions {
  /** A commit, branch or tag that does not begin with `-`. Default: `HEAD`. */
  readonly since?: string | undefined
}

const GIT_OPTIONS: OptionNames<ChangedByGitOptions> = { since: true, signal: true }

/**
 * Files that git says differ from a commit, with those that it does not know and does not ignore. Absolute paths; those deleted are
 * not among them.
 *
 * @throws {InvalidOptionError}
 * @throws {GitError} where git fails: not installed, not a repository, unknown commit
 */
export async function changedByGit(
  root: string,
  options: ChangedByGitOptions = {},
): Promise<string[]> {
  const { since = 'HEAD', signal } = checkOptions('', options, GIT_OPTIONS)
  checkPath('root', root)
  if (typeof since !== 'string' || since === '' || since.startsWith('-')) {
    throw new InvalidOptionError('since', 'the name of a commit', since)
  }
  if (signal !== undefined) checkSignal('signal', signal)
  const lines = async (...args: string[]): Promise<string[]> => {
    const limits = { cwd: root, maxBuffer: 2 ** 28, ...(signal && { signal }) }
    try {
      const { stdout } = await promisify(execFile)('git', args, limits)
      return stdout.split('\0').filter(Boolean)
    } catch (error) {
      if (signal?.aborted) throw signal.reason
      // No cause: it holds the command, with the value of `since`.
      throw new GitError(args[0]!, (error as { code?: number | string | null }).code ?? undefined)
    }
  }
  const changed = await lines(
    'diff',
    '--name-only',
    '--relative',
    '--diff-filter=d',
    '-z',
    since,
    '--',
  )
  const unknown = await lines('ls-files', '--others', '--exclude-standard', '-z')
  return [...new Set([...changed, ...unknown])].map(path => join(root, path))
}
