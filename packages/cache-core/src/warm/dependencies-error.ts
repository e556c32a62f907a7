/** What a key depends on could not be had, for its `cause`. A walk along dependencies goes on behind it, and a `Warmer` counts it as a failure. */
export class DependenciesError extends Error {
  override readonly name = 'DependenciesError'
  readonly code = 'ERR_MILLRACE_DEPENDENCIES'
  readonly key: unknown

  constructor(key: unknown, cause: unknown) {
    super('What a key depends on could not be had', { cause })
    this.key = key
  }
}
