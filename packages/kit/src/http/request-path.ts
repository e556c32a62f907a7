/** Scheme and authority of the absolute form, `http://user:key@host/path`. */
const ORIGIN = /^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i

/**
 * The path of a request's target, without query and fragment, which often hold what must not be stored. Proxies, and servers where a
 * client likes it, are sent the absolute form, whose authority may hold a password. A target that has no path, such as that of CONNECT,
 * gives an empty one.
 */
export function requestPath(target: string): string {
  const path = target.startsWith('/') ? target : target.replace(ORIGIN, '')
  const end = path.search(/[?#]/)
  const clean = end < 0 ? path : path.slice(0, end)
  if (clean.startsWith('/') || clean === '*') return clean
  return clean === '' ? '/' : ''
}
