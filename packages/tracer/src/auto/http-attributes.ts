import { HTTP_METHODS, requestPath } from '@millrace/kit'
import { type Attributes, type Span, StatusCode } from '../span/api/span.ts'

/** The method as a span is named after it. */
export function methodName(method: string): string {
  return HTTP_METHODS.has(method) ? method : 'HTTP'
}

export function methodAttributes(method: string): Attributes {
  return HTTP_METHODS.has(method)
    ? { 'http.request.method': method }
    : { 'http.request.method': '_OTHER', 'http.request.method_original': method.slice(0, 64) }
}

/** Where a request goes: a host without port or brackets, the port also where it is the protocol's own, and the address without query. */
export function serverAttributes(origin: string | URL, path?: string): Attributes {
  const url = URL.parse(String(origin))
  if (url === null) return {}
  return {
    'server.address': url.hostname.replace(/^\[(.*)\]$/, '$1'),
    'server.port': url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port),
    'url.full': path === undefined ? undefined : `${url.origin}${requestPath(path)}`,
  }
}

/** Notes the status; from `failing` on it means that the span failed. */
export function setHttpStatus(span: Span, status: number, failing: number): void {
  span.setAttribute('http.response.status_code', status)
  if (status < failing) return
  span.setAttribute('error.type', String(status))
  span.setStatus({ code: StatusCode.ERROR })
}

/** Notes that the connection was lost before the last byte. */
export function markAborted(span: Span): void {
  span.setAttribute('error.type', 'aborted').setStatus({ code: StatusCode.ERROR })
}
