import type { ResponseHeaders } from '../handler.ts'

/** Of `Cache-Control`: what a shared cache may give to no other caller (RFC 9111 section 5.2.2). */
const PERSONAL = /(?:^|[\s,])(?:no-store|private)(?=$|[\s,;=])/i

/**
 * Whether a response may also go to others whose requests were the same: RFC 9111 section 4 lets a cache collapse requests only if it
 * may use the response for each of them. A cookie is given to the one who asked, too.
 */
export function isShareable(headers: ResponseHeaders): boolean {
  const { vary, 'set-cookie': cookie, 'cache-control': control } = headers
  if (cookie !== undefined) return false
  return !PERSONAL.test(String(control ?? '')) && !/(?:^|,)\s*\*/.test(String(vary ?? ''))
}
