/** What is known of a request when access is decided. */
export interface DashboardRequest {
  readonly method: string
  readonly url: string
  /** Address of the peer; `undefined` where the server does not say. */
  readonly remoteAddress: string | undefined
  /** A header by its lower-case name. */
  header(name: string): string | undefined
}

const LOOPBACK_ADDRESS = /^(?:127\.|::1$|::ffff:127\.)/
const LOOPBACK_HOST = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/i

/** What proxies tell of themselves or of their clients. */
const PROXY_HEADERS = ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip']

/**
 * Access without `authorize`: from this machine, by its own name, and not through a proxy. The name is looked at because
 * a page elsewhere can point its own name at this machine (DNS rebinding); the proxy, because all its clients would seem
 * to be local.
 */
export function isLocal(request: DashboardRequest): boolean {
  return (
    LOOPBACK_ADDRESS.test(request.remoteAddress ?? '') &&
    LOOPBACK_HOST.test(request.header('host') ?? '') &&
    PROXY_HEADERS.every(name => request.header(name) === undefined)
  )
}
