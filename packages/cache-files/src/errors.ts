/** A constructor option, or an option of one call, is outside its documented bounds. */
export class InvalidOptionError extends TypeError {
  override readonly name = 'InvalidOptionError'
  readonly code = 'ERR_MILLRACE_INVALID_OPTION'
  /** Name of the option as the caller wrote it. */
  readonly option: string
  /** What would have been accepted. */
  readonly expected: string
  /** What was passed. Not enumerable, so that logging the error does not log the value. */
  declare readonly received: unknown

  constructor(option: string, expected: string, received: unknown) {
    super(`Expected \`${option}\` to be ${expected}, got ${describe(received)}`)
    this.option = option
    this.expected = expected
    Object.defineProperty(this, 'received', { value: received, enumerable: false })
  }
}

/**
 * Why a file could not be read:
 * - `missing`: there is nothing under the path
 * - `not-a-file`: a folder, socket or device is
 * - `denied`: this process may not read it
 * - `failed`: anything else, see `cause`
 */
export type FileReadReason = 'missing' | 'not-a-file' | 'denied' | 'failed'

/** A file could not be read. Nothing is remembered of it. */
export class FileReadError extends Error {
  override readonly name = 'FileReadError'
  readonly code = 'ERR_MILLRACE_FILE_READ'
  /** Absolute path. */
  readonly path: string
  readonly reason: FileReadReason

  constructor(path: string, reason: FileReadReason, options?: ErrorOptions) {
    const problem = {
      missing: 'it does not exist',
      'not-a-file': 'it is not a regular file',
      denied: 'permission denied',
      failed: (options?.cause as Error | undefined)?.message ?? 'unknown error',
    }[reason]
    super(`Cannot read ${path}: ${problem}`, options)
    this.path = path
    this.reason = reason
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

/** A query used its context after it had returned, when nothing could become its dependency any more. */
export class ContextEndedError extends Error {
  override readonly name = 'ContextEndedError'
  readonly code = 'ERR_MILLRACE_CONTEXT_ENDED'
  /** Name of the query. */
  readonly query: string

  constructor(query: string) {
    super(`The query ${query} used its context after it had returned`)
    this.query = query
  }
}

/** The error of a file system call on `path` as a {@link FileReadError}. */
export function fileReadError(path: string, cause: unknown): FileReadError {
  const { code } = cause as NodeJS.ErrnoException
  let reason: FileReadReason = 'failed'
  if (code === 'ENOENT' || code === 'ENOTDIR') reason = 'missing'
  else if (code === 'EACCES' || code === 'EPERM') reason = 'denied'
  else if (code === 'EISDIR') reason = 'not-a-file'
  return new FileReadError(path, reason, { cause })
}

/** Names a value and its type without printing objects. */
function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'number' || typeof value === 'boolean') return `${value} (${typeof value})`
  if (typeof value === 'string') {
    return value.length > 40 ? `a string of ${value.length} characters` : `'${value}' (string)`
  }
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
