import { checkHeaders } from '@millrace/kit'

type Environment = Readonly<Record<string, string | undefined>>

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

/** Pairs like `key=value,key=value`, percent-encoded; one that is malformed voids them all. */
export function headersFrom(env: Environment, name: string): Record<string, string> | undefined {
  const text = textOf(env, name)
  if (text === undefined) return undefined
  try {
    const headers = text
      .split(',')
      .filter(pair => pair.trim() !== '')
      .map(pair => {
        const equals = pair.indexOf('=')
        return [
          pair.slice(0, Math.max(0, equals)).trim(),
          decodeURIComponent(pair.slice(equals + 1).trim()),
        ]
      })
    return { ...checkHeaders(name, Object.fromEntries(headers)) }
  } catch {
    return refuse(name, 'pairs like key=value,key=value')
  }
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
