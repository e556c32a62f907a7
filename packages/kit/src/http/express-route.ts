import { requestPath } from './request-path.ts'

/** The parts of Express's request that remember its route. */
interface RoutedRequest {
  readonly route?: { readonly path?: unknown }
  readonly app?: Application
  readonly originalUrl?: unknown
}

/** An application of Express 5, whose router is `router`, or 4. */
interface Application {
  readonly parent?: Application
  readonly mountpath?: unknown
  readonly _router?: Router
  readonly router?: Router
}

interface Router {
  readonly stack?: readonly Layer[]
}

interface Layer {
  readonly route?: unknown
  readonly handle?: Router & Application
  /** Express 5. */
  readonly rawPath?: unknown
  readonly matchers?: readonly ((path: string) => Match | false)[]
  /** Express 4. */
  readonly regexp?: RegExp
  readonly keys?: readonly { readonly name: string | number }[]
}

interface Match {
  readonly path: string
  readonly params: Readonly<Record<string, unknown>>
}

interface Mounted {
  readonly path: string
  /** Undefined where it is not known. */
  readonly pattern: string | undefined
}

/** Routes of applications that are mounted nowhere, as far as they were asked for: they have no mounts to look for. */
const UNMOUNTED = new WeakSet<object>()

/**
 * The pattern of the route that Express has chosen, behind the patterns under which its router is mounted. Express keeps the former at
 * the request, of the latter only the path that matched, and nothing once an error has left the router; so the route is looked up in the
 * routers that the request's path leads to. Undefined where it is not found, as paths may hold anything. O(1) without mounts, O(routers)
 * with them.
 */
export function expressRoute(request: object): string | undefined {
  const { route, app, originalUrl } = request as RoutedRequest
  const path = routePattern(route?.path)
  if (path === undefined || UNMOUNTED.has(route!)) return path
  const url = typeof originalUrl === 'string' ? requestPath(originalUrl) : undefined
  // Of another framework, whose patterns are whole.
  if (app === undefined || url === undefined) return path
  const mounts = mountsOf(app, url, route!)
  if (mounts === undefined) return undefined
  if (mounts === '' && app.parent === undefined) UNMOUNTED.add(route!)
  return path === '/' && mounts !== '' ? mounts : `${mounts}${path}`
}

/** Of several patterns it is not known which has matched; a regular expression stands for itself. */
function routePattern(path: unknown): string | undefined {
  if (typeof path === 'string') return path
  if (path instanceof RegExp) return String(path)
  if (!Array.isArray(path)) return undefined
  const patterns = path.map(routePattern)
  return patterns.includes(undefined) ? undefined : patterns.join(',')
}

function mountsOf(app: Application, url: string, route: object): string | undefined {
  let own = ''
  for (let one: Application = app; one.parent !== undefined; one = one.parent) {
    if (typeof one.mountpath !== 'string') return undefined
    if (one.mountpath !== '/') own = one.mountpath + own
  }
  // Applications know their own patterns: a segment of these stands for one of the path.
  const rest = url.split('/').slice(own.split('/').length).join('/')
  const within = mountsWithin(stackOf(app), `/${rest}`, route)
  return within === undefined ? undefined : own + within
}

function stackOf(handle: Router & Application): readonly Layer[] {
  // `router` of an application of Express 4 throws, so it comes last.
  return (
    handle.stack ??
    handle._router?.stack ??
    (handle.mountpath === undefined ? [] : (handle.router?.stack ?? []))
  )
}

/** The patterns of the routers, one below the other, that `path` leads through to the one that has the route. */
function mountsWithin(stack: readonly Layer[], path: string, route: object): string | undefined {
  if (stack.some(layer => layer.route === route)) return ''
  for (const layer of stack) {
    const { handle } = layer
    if (layer.route !== undefined || handle === undefined) continue
    const inner = stackOf(handle)
    const match = inner.length === 0 ? undefined : matchOf(layer, path)
    if (match?.pattern === undefined) continue
    const below = mountsWithin(inner, path.slice(match.path.length) || '/', route)
    if (below !== undefined) return match.pattern + below
  }
  return undefined
}

function matchOf(
  { rawPath, matchers, regexp, keys = [] }: Layer,
  path: string,
): Mounted | undefined {
  if (matchers === undefined) {
    const found = regexp?.exec(path)
    if (found === null || found === undefined) return undefined
    const params = Object.fromEntries(keys.map(({ name }, i) => [name, found[i + 1]]))
    const mounted = mountedAt({ path: found[0], params }, undefined)
    const { pattern } = mounted
    return pattern === undefined || isOf(pattern, regexp!)
      ? mounted
      : { path: mounted.path, pattern: undefined }
  }
  for (const [i, matcher] of matchers.entries()) {
    const match = matcher(path)
    if (match === false) continue
    return mountedAt(match, Array.isArray(rawPath) ? rawPath[i] : rawPath)
  }
  return undefined
}

/** @param known the pattern, where the router has kept it; a regular expression is none */
function mountedAt(match: Match, known: unknown): Mounted {
  const path = match.path.replace(/\/$/, '')
  if (path === '') return { path, pattern: '' }
  const pattern =
    typeof known === 'string' ? known : known === undefined ? named(path, match) : undefined
  return { path, pattern }
}

/** The path with its parameters' names in place of their values; undefined where a value is no whole segment. */
function named(path: string, { params }: Match): string | undefined {
  const segments = path.split('/')
  for (const [name, value] of Object.entries(params)) {
    const at = segments.findIndex(segment => segment === value || decoded(segment) === value)
    if (at < 0) return undefined
    segments[at] = `:${name}`
  }
  return segments.join('/')
}

/**
 * Whether the expression that Express 4 has made of a pattern, or was given, has all segments of `pattern` that are no parameters in it,
 * each as a whole: an expression such as `/v\d+` matches paths that are no pattern.
 */
function isOf(pattern: string, { source }: RegExp): boolean {
  const known = source.toLowerCase()
  return pattern
    .toLowerCase()
    .split('/')
    .slice(1)
    .every(segment => {
      if (segment.startsWith(':')) return true
      const literal = `\\/${segment.replaceAll('.', '\\.')}`
      return known.includes(`${literal}\\/`) || known.includes(`${literal}(?:\\/`)
    })
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    // Express has left it as it is, too.
    return segment
  }
}
