import { describe } from '@millrace/kit'

export { InvalidOptionError } from '@millrace/kit'

/** A weigher returned something that is not a finite number of at least zero. Nothing was stored. */
export class WeigherError extends TypeError {
  override readonly name = 'WeigherError'
  readonly code = 'ERR_MILLRACE_WEIGHER'
  /** What the weigher returned, by type, length and shape. */
  declare readonly received: string

  constructor(value: unknown) {
    const received = describe(value)
    super(`Expected \`weigher\` to return a finite number >= 0, got ${received}`)
    this.received = received
  }
}

/** A listener of a cache threw, which ended nothing. Emitted as a `warning` of the process; what it threw is the `cause`. */
export class ListenerError extends Error {
  override readonly name = 'ListenerError'
  readonly code = 'ERR_MILLRACE_LISTENER'
  /** Name of the listener, as the option is called. */
  declare readonly listener: string

  constructor(listener: string, cause: unknown) {
    super(`\`${listener}\` of a cache threw`, { cause })
    this.listener = listener
  }
}

/** A snapshot handed to `load` is not one that `dump` made, or it is damaged. The cache is unchanged. */
export class SnapshotError extends Error {
  override readonly name = 'SnapshotError'
  readonly code = 'ERR_MILLRACE_SNAPSHOT'

  constructor(problem: string, options?: ErrorOptions) {
    super(`Cannot load the snapshot: ${problem}`, options)
  }
}

/**
 * Why an argument has no canonical encoding:
 * - `function`, `symbol`: only identity tells two of them apart
 * - `instance`: an object of a class whose private state cannot be read
 * - `circular`: it contains itself
 * - `depth`: it is nested too deeply
 */
export type UnencodableReason = 'function' | 'symbol' | 'instance' | 'circular' | 'depth'

/** A memoized function was called with an argument that cannot become part of a key. */
export class UnencodableArgumentError extends TypeError {
  override readonly name = 'UnencodableArgumentError'
  readonly code = 'ERR_MILLRACE_UNENCODABLE_ARGUMENT'
  /** Index of the argument. */
  declare readonly argument: number
  declare readonly reason: UnencodableReason

  constructor(argument: number, reason: UnencodableReason, className?: string) {
    const what = {
      function: 'contains a function',
      symbol: 'contains a symbol',
      instance: `contains an instance of ${className}`,
      circular: 'contains itself',
      depth: 'is nested too deeply',
    }[reason]
    super(`Argument ${argument} ${what} and cannot be part of a cache key; give a \`key\` function`)
    this.argument = argument
    this.reason = reason
  }
}

/** What a {@link LoadResultError} expected where a loader hands on a promise among, or within, its results. */
export const NO_PROMISE = 'a value, and no promise of one,'

/** A loader fulfilled with something that cannot be cached, such as `undefined`. Nothing was stored. */
export class LoadResultError extends TypeError {
  override readonly name = 'LoadResultError'
  readonly code = 'ERR_MILLRACE_LOAD_RESULT'

  constructor(expected: string, received: unknown) {
    super(`Expected the loader to return ${expected}, got ${describe(received)}`)
  }
}

/** A load took longer than its `hardTimeout`. Its signal is aborted with this error. */
export class LoadTimeoutError extends Error {
  override readonly name = 'LoadTimeoutError'
  readonly code = 'ERR_MILLRACE_LOAD_TIMEOUT'
  /** What passed, in ms from the start of the load. */
  declare readonly timeout: number

  constructor(timeout: number) {
    super(`The load did not finish within ${timeout} ms`)
    this.timeout = timeout
  }
}

/** Some keys of a `getOrLoadMany` have no value because their load failed; the rest is in `results`. */
export class PartialLoadError extends Error {
  override readonly name = 'PartialLoadError'
  readonly code = 'ERR_MILLRACE_PARTIAL_LOAD'
  /** Not enumerable, so that logging the error does not log keys and values. */
  declare readonly results: ReadonlyMap<unknown, unknown>
  /** Why each missing key failed. Not enumerable. */
  declare readonly errors: ReadonlyMap<unknown, unknown>

  constructor(results: ReadonlyMap<unknown, unknown>, errors: ReadonlyMap<unknown, unknown>) {
    const [cause] = errors.values()
    super(`${errors.size} of ${results.size + errors.size} keys could not be loaded`, { cause })
    Object.defineProperty(this, 'results', { value: results })
    Object.defineProperty(this, 'errors', { value: errors })
  }
}
