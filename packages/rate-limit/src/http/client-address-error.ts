/**
 * A request has no client address to be counted by: it came over a Unix socket, or the framework's environment does not tell. Counting
 * all of them as one would limit all clients together.
 */
export class ClientAddressError extends Error {
  override readonly name = 'ClientAddressError'
  readonly code = 'ERR_MILLRACE_LIMIT_CLIENT_ADDRESS'

  constructor(options?: ErrorOptions) {
    super(
      "The request has no client address: give the limit a `key`, or `trustedProxies: ['unix']` behind a proxy on a Unix socket",
      options,
    )
  }
}
