import { heed } from '../calls/heed.ts'
import { checkList } from '../options/checks.ts'
import { InvalidOptionError } from '../options/invalid-option-error.ts'
import { requestPath } from './request-path.ts'
import type { RequestHead } from './served-requests.ts'

/** Requests to leave out: paths without query, or a function of the path. */
export type IgnoredPaths = readonly string[] | ((path: string, request: RequestHead) => boolean)

/**
 * Whether a request is to be left out.
 *
 * @throws InvalidOptionError unless `ignore` is a list of paths, or a function
 */
export function pathFilter(
  option: string,
  ignore: IgnoredPaths | undefined,
): (request: RequestHead) => boolean {
  if (ignore === undefined) return () => false
  if (typeof ignore === 'function') {
    return request => {
      try {
        const ignored = ignore(pathOf(request), request)
        // A promise would be true for all requests.
        return !heed(ignored) && Boolean(ignored)
      } catch {
        // The request must not fail for it; it is seen, so that the mistake shows.
        return false
      }
    }
  }
  const paths = new Set<string>()
  for (const path of checkList(option, ignore, 'a list of paths, or a function')) {
    if (typeof path !== 'string' || !path.startsWith('/')) {
      throw new InvalidOptionError(option, 'paths that begin with /', path)
    }
    paths.add(path)
  }
  return request => paths.has(pathOf(request))
}

function pathOf({ url = '/' }: RequestHead): string {
  return requestPath(url)
}
