/** Whether Redis refuses this client: to wait or to ask again is of no use then, as only another configuration helps. */
export function isRefusal(error: unknown): error is Error {
  return (
    error instanceof Error &&
    /^(WRONGPASS|NOAUTH|NOPERM|ERR invalid password|ERR AUTH|ERR Client sent AUTH)/.test(
      error.message,
    )
  )
}
