/** What must not reach another origin, besides what the options of a pool name: the one that redirects there may not own it. */
export const CREDENTIAL_HEADERS: readonly string[] = [
  'authorization',
  'cookie',
  'proxy-authorization',
  'host',
]
