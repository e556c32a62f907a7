import type { ExchangeOptions } from './exchange-options.ts'
import { addMissing, dropHeaders, headerList } from './header-list.ts'
import { refusePromise } from './hook-result.ts'
import type { InjectHeaders } from './inject-headers.ts'

/**
 * What tells one request from another for those who trace it, and no server answers by. Each attempt has its own; all other headers
 * may decide what is answered, and to whom.
 */
const CORRELATION_HEADERS: readonly string[] = [
  'traceparent',
  'tracestate',
  'baggage',
  'b3',
  'x-b3-traceid',
  'x-b3-spanid',
  'x-b3-parentspanid',
  'x-b3-sampled',
  'x-b3-flags',
  'x-request-id',
  'x-correlation-id',
  'x-amzn-trace-id',
  'x-cloud-trace-context',
  'sentry-trace',
  'uber-trace-id',
]

/** The options of an attempt with the headers that the hook adds. Those of the caller have precedence. */
export function withInjectedHeaders(
  options: ExchangeOptions,
  origin: string,
  attempt: number,
  inject: InjectHeaders,
): ExchangeOptions {
  const added = injected(options, origin, attempt, inject)
  const { injected: earlier, identified } = options
  if (identified !== undefined && identityOf(added) !== identified.as) identified.hasChanged = true
  const names = Object.keys(added)
  if (names.length === 0) return options
  const list =
    earlier === undefined ? headerList(options.headers) : dropHeaders(options.headers, earlier)
  for (const name of names) addMissing(list, name, added[name]!)
  return { ...options, headers: list }
}

/**
 * The options of a request with what the hook adds and a server may answer by, before anything is looked up or shared: with a
 * user's credentials inside, the answer for one user would be that for all.
 */
export function withIdentifyingHeaders(
  options: ExchangeOptions,
  origin: string,
  inject: InjectHeaders,
): ExchangeOptions {
  const added = injected(options, origin, 1, inject)
  const list = headerList(options.headers)
  const names = identifying(added)
  const identified = { as: identityOf(added), hasChanged: false }
  if (names.length === 0) return { ...options, identified }
  const missing = names.filter(name => addMissing(list, name, added[name]!))
  return {
    ...options,
    headers: list,
    injected: lowered(missing),
    identifying: lowered(names),
    identified,
  }
}

function identifying(added: Readonly<Record<string, string>>): string[] {
  return Object.keys(added).filter(name => !CORRELATION_HEADERS.includes(name.toLowerCase()))
}

/** For whom a hook says that a request is. */
function identityOf(added: Readonly<Record<string, string>>): string {
  return JSON.stringify(
    identifying(added)
      .map(name => [name.toLowerCase(), added[name]])
      .sort(),
  )
}

function lowered(names: readonly string[]): string[] {
  return names.map(name => name.toLowerCase())
}

function injected(
  options: ExchangeOptions,
  origin: string,
  attempt: number,
  inject: InjectHeaders,
): Record<string, string> {
  const added: Record<string, string> = Object.create(null)
  const returned: unknown = inject(added, {
    method: options.method,
    origin,
    path: options.path,
    attempt,
  })
  refusePromise('injectHeaders', returned)
  // A hook that has no user to tell of may say so by undefined.
  for (const name of Object.keys(added)) if ((added[name] ?? null) === null) delete added[name]
  return added
}
