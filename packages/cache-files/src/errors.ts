import type { SqliteProblem } from '@millrace/cache-core/sqlite'

/**
 * Why a file could not be read:
 * - `missing`: there is nothing under the path
 * - `not-a-file`: a folder, socket or device is
 * - `denied`: this process may not read it
 * - `too-large`: it has more bytes than `maxFileBytes`
 * - `failed`: anything else, see `cause`
 */
export type FileReadReason = 'missing' | 'not-a-file' | 'denied' | 'too-large' | 'failed'

/** Options of a {@link FileReadError}. */
export interface FileReadErrorOptions extends ErrorOptions {
  /** The `maxFileBytes` that the file exceeds. */
  readonly limit?: number | undefined
}

/** A file could not be read. Nothing is remembered of it. */
export class FileReadError extends Error {
  override readonly name = 'FileReadError'
  readonly code = 'ERR_MILLRACE_FILE_READ'
  /** Absolute path. */
  readonly path: string
  readonly reason: FileReadReason
  /** The `maxFileBytes` that a file exceeds which is too large. */
  readonly limit: number | undefined

  constructor(path: string, reason: FileReadReason, options?: FileReadErrorOptions) {
    const problem = {
      missing: 'it does not exist',
      'not-a-file': 'it is not a regular file',
      denied: 'permission denied',
      'too-large': `it has more than ${options?.limit} bytes`,
      failed: (options?.cause as Error | undefined)?.message ?? 'unknown error',
    }[reason]
    super(`Cannot read ${path}: ${problem}`, options)
    this.path = path
    this.reason = reason
    this.limit = options?.limit
  }
}

/** Queries asked for each other in a circle, so none of them could be computed. */
export class CycleError extends Error {
  override readonly name = 'CycleError'
  readonly code = 'ERR_MILLRACE_CYCLE'
  /** The queries of the circle as `name(key)`, each asking for the next, the first one repeated at the end. */
  readonly cycle: readonly string[]

  constructor(cycle: readonly string[]) {
    super(`Queries ask for each other: ${cycle.join(' -> ')}`)
    this.cycle = cycle
  }
}

/** Files changed each time a consistent look at them was taken. Nothing wrong was stored; try again when they are quiet. */
export class UnsettledError extends Error {
  override readonly name = 'UnsettledError'
  readonly code = 'ERR_MILLRACE_UNSETTLED'
  /** A file that changed. */
  readonly path: string

  constructor(path: string, attempts: number) {
    super(`${path} changed during each of ${attempts} attempts`)
    this.path = path
  }
}

/**
 * A query used its context after it had returned, when nothing could become its dependency any more, or asked a graph after its time was over
 * or its last caller had left, when nobody waited for the answer any more.
 */
export class ContextEndedError extends Error {
  override readonly name = 'ContextEndedError'
  readonly code = 'ERR_MILLRACE_CONTEXT_ENDED'
  /** Name of the query. */
  readonly query: string

  constructor(query: string) {
    super(`The query ${query} asked for something after it had ended`)
    this.query = query
  }
}

/** Git could not say what changed. What it printed may hold what it was given, and is left out. */
export class GitError extends Error {
  override readonly name = 'GitError'
  readonly code = 'ERR_MILLRACE_GIT'
  /** What git was to do, such as `diff`. */
  readonly command: string
  /** Exit code of git, 128 where it found no repository or commit; or why it did not run: `ENOENT` where git or the folder is missing. */
  readonly reason: number | string | undefined

  constructor(command: string, reason: number | string | undefined) {
    super(
      typeof reason === 'number'
        ? `git ${command} ended with exit code ${reason}`
        : `git ${command} did not end by itself: ${reason ?? 'it was killed'}`,
    )
    this.command = command
    this.reason = reason
  }
}

/** What is said of names under which there is nothing, those that no file can have included: too long, or with a null character. */
const NOTHING_THERE: ReadonlySet<string | undefined> = new Set([
  'ENOENT',
  'ENOTDIR',
  'ENAMETOOLONG',
  'ERR_INVALID_ARG_VALUE',
])

/** Whether an error of a file system call says that there is nothing under the path. */
export function isNothingThere(error: unknown): boolean {
  return NOTHING_THERE.has((error as NodeJS.ErrnoException).code)
}

/** Whether a file system call, or a {@link FileReadError}, failed for want of a descriptor: in this process, or in the system. */
export function isStarved(error: unknown): boolean {
  const { code, cause } = Object(error) as NodeJS.ErrnoException
  if (code === 'EMFILE' || code === 'ENFILE') return true
  return error instanceof FileReadError && cause !== undefined && isStarved(cause)
}

/** The error of a file system call on `path` as a {@link FileReadError}. */
export function fileReadError(path: string, cause: unknown): FileReadError {
  const { code } = cause as NodeJS.ErrnoException
  let reason: FileReadReason = 'failed'
  if (isNothingThere(cause)) reason = 'missing'
  else if (code === 'EACCES' || code === 'EPERM') reason = 'denied'
  else if (code === 'EISDIR' || code === 'ENXIO' || code === 'ENODEV') reason = 'not-a-file'
  return new FileReadError(path, reason, { cause })
}

/** A parser or extractor took longer than its `timeout`. Nothing is remembered. */
export class ParseTimeoutError extends Error {
  override readonly name = 'ParseTimeoutError'
  readonly code = 'ERR_MILLRACE_PARSE_TIMEOUT'
  /** The `id` of the cache. */
  readonly parser: string
  /** Absolute path of the file. */
  readonly path: string
  /** ms it had. */
  readonly timeout: number

  constructor(parser: string, path: string, timeout: number) {
    super(`${parser} took longer than ${timeout} ms for ${path}`)
    this.parser = parser
    this.path = path
    this.timeout = timeout
  }
}

/** A query took longer than its `timeout`, the time it waited for other queries not counted. Nothing is remembered. */
export class QueryTimeoutError extends Error {
  override readonly name = 'QueryTimeoutError'
  readonly code = 'ERR_MILLRACE_QUERY_TIMEOUT'
  /** Name of the query. */
  readonly query: string
  /** ms it had. */
  readonly timeout: number

  constructor(query: string, timeout: number) {
    super(`The query ${query} took longer than ${timeout} ms`)
    this.query = query
    this.timeout = timeout
  }
}

/** A query called `graph.get`, whose result would not have become its dependency. Its context has a `get`. */
export class NestedGetError extends Error {
  override readonly name = 'NestedGetError'
  readonly code = 'ERR_MILLRACE_NESTED_GET'
  /** Name of the query that called. */
  readonly query: string
  /** Name of the query it asked for. */
  readonly asked: string

  constructor(query: string, asked: string) {
    super(`The query ${query} asked the graph for ${asked}; ask the query's context instead`)
    this.query = query
    this.asked = asked
  }
}

/**
 * Why a result was refused:
 * - `incomparable`: it holds a function, a symbol, or an instance whose state does not show, so that no change of it could be noticed; give
 *   the query a `fingerprint`
 * - `not-encodable`: the codec threw
 * - `not-preserved`: it came back from the codec as something else, as a `Map` comes back from JSON as `{}`
 */
export type ResultProblem = 'incomparable' | 'not-encodable' | 'not-preserved'

/** A result cannot be kept, or not be told from another one. Nothing is stored of it. */
export class ResultError extends Error {
  override readonly name = 'ResultError'
  readonly code = 'ERR_MILLRACE_RESULT'
  /** Name of the query, or `id` of the facts. */
  readonly query: string
  readonly problem: ResultProblem

  constructor(query: string, problem: ResultProblem, options?: ErrorOptions) {
    const why = {
      incomparable: 'cannot be compared with another one',
      'not-encodable': 'cannot be encoded',
      'not-preserved': 'does not survive its codec',
    }[problem]
    // A codec's own message may quote the value.
    const named = problem === 'incomparable' && options?.cause instanceof Error
    const detail = named ? `: ${(options.cause as Error).message}` : ''
    super(`The result of ${query} ${why}${detail}`, options)
    this.query = query
    this.problem = problem
  }
}

/** The store did not answer within `storeTimeout`. Told to `onStoreError`; work goes on without the store. */
export class FilesStoreTimeoutError extends Error {
  override readonly name = 'FilesStoreTimeoutError'
  readonly code = 'ERR_MILLRACE_FILES_STORE_TIMEOUT'
  /** ms it had. */
  readonly timeout: number

  constructor(timeout: number) {
    super(`The store did not answer within ${timeout} ms`)
    this.timeout = timeout
  }
}

/** The graph was closed. */
export class GraphClosedError extends Error {
  override readonly name = 'GraphClosedError'
  readonly code = 'ERR_MILLRACE_GRAPH_CLOSED'

  constructor() {
    super('The graph is closed')
  }
}

/** More sources wait for a parser's threads than `maxQueue`. */
export class ParseQueueFullError extends Error {
  override readonly name = 'ParseQueueFullError'
  readonly code = 'ERR_MILLRACE_PARSE_QUEUE_FULL'
  readonly maxQueue: number

  constructor(maxQueue: number) {
    super(`${maxQueue} sources wait for the parser already`)
    this.maxQueue = maxQueue
  }
}

/** The parser's threads were ended. */
export class ParsePoolClosedError extends Error {
  override readonly name = 'ParsePoolClosedError'
  readonly code = 'ERR_MILLRACE_PARSE_POOL_CLOSED'

  constructor() {
    super('The parser was closed')
  }
}

/** A file of the cache folder was damaged, or removed, replaced or cut short while it was open; it is begun anew. */
export class CacheFileError extends Error {
  override readonly name = 'CacheFileError'
  readonly code = 'ERR_MILLRACE_CACHE_FILE'
  readonly reason: 'corrupt' | 'removed'
  readonly path: string
  /** New name of a damaged file, if it was set aside. */
  readonly movedTo: string | undefined

  constructor({ reason, path, movedTo, cause }: SqliteProblem) {
    const happened = reason === 'removed' ? 'removed, replaced or cut short' : 'damaged'
    super(`The cache file ${path} was ${happened} and is begun anew`, { cause })
    this.reason = reason
    this.path = path
    this.movedTo = movedTo
  }
}
