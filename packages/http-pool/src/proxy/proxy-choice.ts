import { isIP } from 'node:net'
import { InvalidOptionError } from '@millrace/kit'

/** A proxy to tunnel through. */
export interface HttpProxy {
  /** Scheme, host and port, without credentials. */
  readonly origin: string
  readonly protocol: string
  readonly hostname: string
  readonly port: string
  /** For `Proxy-Authorization`. */
  readonly authorization: string | undefined
}

/** Where a connection goes. */
export interface Target {
  readonly protocol: string
  readonly hostname: string
  readonly port: string
}

/** Which proxy leads to a target; undefined if none is to. */
export type ChooseProxy = (target: Target) => HttpProxy | undefined

/**
 * @param value `'environment'`, or the URL of an HTTP proxy
 * @throws InvalidOptionError without the URL: it may hold a password
 */
export function resolveProxy(
  option: string,
  value: string | URL | undefined,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): ChooseProxy | undefined {
  if (value === undefined) return undefined
  if (value === 'environment') return environmentProxy(environment)
  const proxy = parseProxy(option, value, `'environment' or ${PROXY_URL}`)
  return () => proxy
}

/** The conventions of curl: lower case first, and no `HTTP_PROXY` in a CGI, where a request header sets it ("httpoxy"). */
function environmentProxy(
  environment: Readonly<Record<string, string | undefined>>,
): ChooseProxy | undefined {
  const read = (name: string) => environment[name.toLowerCase()] || environment[name] || undefined
  const http =
    environment.REQUEST_METHOD === undefined ? read('HTTP_PROXY') : environment.http_proxy
  const https = read('HTTPS_PROXY')
  const plain = http ? parseProxy('HTTP_PROXY', http) : undefined
  const secure = https ? parseProxy('HTTPS_PROXY', https) : undefined
  if (plain === undefined && secure === undefined) return undefined
  const isExcepted = exceptions(read('NO_PROXY') ?? '')
  return target => {
    if (isExcepted(target)) return undefined
    return target.protocol === 'https:' ? secure : plain
  }
}

const PROXY_URL = 'the http or https URL of a proxy'

function parseProxy(option: string, value: string | URL, expected = PROXY_URL): HttpProxy {
  const url = value instanceof URL ? value : typeof value === 'string' ? URL.parse(value) : null
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new InvalidOptionError(option, expected, value)
  }
  return {
    origin: url.origin,
    protocol: url.protocol,
    hostname: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port || (url.protocol === 'https:' ? '443' : '80'),
    authorization: basicAuthorization(option, value, url),
  }
}

function basicAuthorization(
  option: string,
  value: string | URL,
  { username, password }: URL,
): string | undefined {
  if (username === '' && password === '') return undefined
  try {
    const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
    return `Basic ${Buffer.from(pair).toString('base64')}`
  } catch {
    // The cause would quote them.
    throw new InvalidOptionError(option, 'a URL with percent-encoded credentials', value)
  }
}

/** `NO_PROXY`: hosts and domains, with or without a dot before or a port behind; `*` for all. */
function exceptions(list: string): (target: Target) => boolean {
  const entries = list
    .split(/[\s,]+/)
    .filter(entry => entry !== '')
    .map(entry => {
      const [, host, port] = /^(?:\*?\.)?(.+?)(?::(\d+))?$/.exec(entry.toLowerCase()) ?? []
      return entry === '*'
        ? { host: '*', port: undefined }
        : isAddress(entry)
          ? { host: entry.replace(/^\[|\]$/g, ''), port: undefined }
          : { host: host ?? entry, port }
    })
  return ({ hostname, port, protocol }) => {
    const name = hostname.toLowerCase().replace(/^\[|\]$/g, '')
    const actualPort = port || (protocol === 'https:' ? '443' : '80')
    return entries.some(entry => {
      if (entry.port !== undefined && entry.port !== actualPort) return false
      return entry.host === '*' || name === entry.host || name.endsWith(`.${entry.host}`)
    })
  }
}

function isAddress(entry: string): boolean {
  return isIP(entry.replace(/^\[|\]$/g, '')) !== 0
}
