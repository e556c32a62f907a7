import { type Attributes, type Span, StatusCode } from '../span/api/span.ts'

/** Methods that may appear in span names; any other is the client's invention and could be a name per request. */
const METHODS = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'CONNECT',
  'OPTIONS',
  'TRACE',
  'PATCH',
  'QUERY',
])

export function spanName(method: string): string {
  return METHODS.has(method) ? method : 'HTTP'
}

export function methodAttributes(method: string): Attributes {
  return METHODS.has(method)
    ? { 'http.request.method': method }
    : { 'http.request.method': '_OTHER', 'http.request.method_original': method.slice(0, 64) }
}

/** A path without its query, which often holds what must not be stored. */
export function withoutQuery(path: string): string {
  const query = path.indexOf('?')
  return query < 0 ? path : path.slice(0, query)
}

/** The port that an address names, or its protocol's. */
export function portOf(url: URL | null): number | undefined {
  if (url === null) return undefined
  if (url.port !== '') return Number(url.port)
  return url.protocol === 'https:' ? 443 : 80
}

/** Notes the status; from `failing` on it means that the span failed. */
export function setHttpStatus(span: Span, status: number, failing: number): void {
  span.setAttribute('http.response.status_code', status)
  if (status < failing) return
  span.setAttribute('error.type', String(status))
  span.setStatus({ code: StatusCode.ERROR })
}
