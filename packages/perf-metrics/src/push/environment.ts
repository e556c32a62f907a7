import { checkHeaders } from '@millrace/kit'

type Environment = Readonly<Record<string, string | undefined>>

const PAIRS = 'pairs like key=value,key=value'

/** Variables warned about: once per process. */
const WARNED = new Set<string>()

/** An `http` or `https` address. */
export function urlFrom(env: Environment, name: string): string | undefined {
  const text = textOf(env, name)
  if (text === undefined || isHttpUrl(text)) return text
  return refuse(name, 'an http or https URL')
}

/** A number of at least `least`. */
export function numberFrom(env: Environment, name: string, least: number): number | undefined {
  const text = textOf(env, name)
  if (text === undefined) return undefined
  const value = Number(text)
  if (value >= least && value < Infinity) return value
  return refuse(name, `a finite number of at least ${least}`)
}

/**
 * One of a few words, in either case.
 *
 * @param names variables, of which the first that is set counts
 * @param words what each of them means
 */
export function wordFrom<T>(
  env: Environment,
  names: readonly string[],
  words: Readonly<Record<string, T>>,
): T | undefined {
  const name = names.find(name => textOf(env, name) !== undefined)
  if (name === undefined) return undefined
  const word = textOf(env, name)!.toLowerCase()
  if (Object.hasOwn(words, word)) return words[word]
  return refuse(name, Object.keys(words).join(' or '))
}

/** Headers in pairs like `key=value,key=value`. */
export function headersFrom(env: Environment, name: string): Record<string, string> | undefined {
  const headers = pairsFrom(env, name)
  if (headers === undefined) return undefined
  try {
    return { ...checkHeaders(name, headers) }
  } catch {
    return refuse(name, PAIRS)
  }
}

/** `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME`, as the OpenTelemetry specification reads them. */
export function resourceFromEnvironment(env: Environment): Record<string, string> {
  const attributes = pairsFrom(env, 'OTEL_RESOURCE_ATTRIBUTES') ?? {}
  if (env.OTEL_SERVICE_NAME) attributes['service.name'] = env.OTEL_SERVICE_NAME
  attributes['service.name'] ??= 'unknown_service:node'
  return attributes
}

/** Pairs, percent-encoded; one that is malformed voids them all. */
function pairsFrom(env: Environment, name: string): Record<string, string> | undefined {
  const text = textOf(env, name)
  if (text === undefined) return undefined
  const pairs: Record<string, string> = Object.create(null)
  try {
    for (const pair of text.split(',')) {
      if (pair.trim() === '') continue
      const equals = pair.indexOf('=')
      const key = decodeURIComponent(pair.slice(0, Math.max(0, equals)).trim())
      if (key === '') return refuse(name, PAIRS)
      pairs[key] = decodeURIComponent(pair.slice(equals + 1).trim())
    }
  } catch {
    return refuse(name, PAIRS)
  }
  return pairs
}

export function isHttpUrl(text: string): boolean {
  return /^https?:$/.test(URL.parse(text)?.protocol ?? '')
}

/** Empty is unset. */
function textOf(env: Environment, name: string): string | undefined {
  return env[name]?.trim() || undefined
}

/** What cannot be used counts as unset. The value is left out of the warning, as it may be a secret. */
function refuse(name: string, expected: string): undefined {
  if (WARNED.has(name)) return
  WARNED.add(name)
  process.emitWarning(`Expected ${name} to be ${expected}; using the default`, {
    code: 'MILLRACE_METRICS_ENVIRONMENT',
  })
}
