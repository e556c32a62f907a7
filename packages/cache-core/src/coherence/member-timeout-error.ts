/** A member of a coherence group did not answer in time. It is asked nothing more for the invalidation that ran into it. */
export class MemberTimeoutError extends Error {
  override readonly name = 'MemberTimeoutError'
  readonly code = 'ERR_MILLRACE_MEMBER_TIMEOUT'
  /** ms for which it was waited for. */
  readonly timeout: number

  constructor(timeout: number) {
    super(`The member did not answer within ${timeout} ms`)
    this.timeout = timeout
  }
}
