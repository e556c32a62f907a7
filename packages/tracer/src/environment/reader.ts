import type { SpanExportError } from '../export/span-export-error.ts'
import { lossOf } from '../export/warn-of-loss.ts'

/** The largest integer and the longest time that the specification wants understood; also the longest of Node's timers. */
export const MAX_INTEGER: number = 2 ** 31 - 1

/** Variables warned about: once per process, as the specification asks. */
const warned = new Set<string>()

/** Reads variables by the rules of OpenTelemetry: empty is unset; what cannot be used warns once and counts as unset. */
export class EnvironmentReader {
  readonly #env: Readonly<Record<string, string | undefined>>

  readonly #silent: boolean

  constructor(env: Readonly<Record<string, string | undefined>>) {
    this.#env = env
    this.#silent = /^(none|error)$/i.test(env.OTEL_LOG_LEVEL?.trim() ?? '')
  }

  /** The first of `names` that is set. */
  text(...names: string[]): string | undefined {
    return this.#first(names)?.[1]
  }

  /** Only `true`, in any case, is true. */
  flag(name: string): boolean | undefined {
    const text = this.text(name)?.toLowerCase()
    if (text === undefined) return undefined
    if (text === 'true' || text === 'false') return text === 'true'
    return this.#refuse(name, 'true or false')
  }

  /** An integer within bounds. */
  integer(min: number, max: number, ...names: string[]): number | undefined {
    const found = this.#first(names)
    if (found === undefined) return undefined
    const value = Number(found[1])
    if (Number.isInteger(value) && value >= min && value <= max) return value
    return this.#refuse(found[0], `an integer from ${min} to ${max}`)
  }

  /** A time limit in milliseconds, of which the specification says that 0 is none. */
  timeout(...names: string[]): number | undefined {
    const value = this.integer(0, MAX_INTEGER, ...names)
    return value === 0 ? MAX_INTEGER : value
  }

  /** A number within bounds. */
  number(min: number, max: number, name: string): number | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    const value = Number(text)
    if (value >= min && value <= max) return value
    return this.#refuse(name, `a number from ${min} to ${max}`)
  }

  /** An http or https address. */
  url(name: string): string | undefined {
    const text = this.text(name)
    if (text === undefined || /^https?:$/.test(URL.parse(text)?.protocol ?? '')) return text
    return this.#refuse(name, 'an http or https URL')
  }

  /** One of `choices`, in any case. */
  choice<T extends string>(choices: readonly T[], ...names: string[]): T | undefined {
    const found = this.#first(names)
    const text = found?.[1].toLowerCase()
    if (found === undefined || choices.includes(text as T)) return text as T | undefined
    return this.#refuse(found[0], `one of ${choices.join(', ')}`)
  }

  /** Those of `choices` in a list separated by commas, each once and in its order; the others warn. */
  list<T extends string>(choices: readonly T[], name: string): T[] | undefined {
    const text = this.text(name)?.toLowerCase()
    if (text === undefined) return undefined
    const items = new Set(text.split(',').map(item => item.trim()))
    items.delete('')
    if (items.size === 1 && items.has('none')) return []
    const known = [...items].filter((item): item is T => choices.includes(item as T))
    if (known.length === items.size) return known
    this.#warn(
      name,
      `Expected ${name} to be none or a list of ${choices.join(', ')}; ignoring the rest`,
    )
    return known
  }

  /** Warns about variables that mean something to other SDKs and nothing here. */
  unsupported(...names: string[]): void {
    for (const name of names) {
      if (this.text(name) !== undefined) this.#warn(name, `${name} is not supported; ignoring it`)
    }
  }

  /** `key=value` pairs separated by commas, percent-encoded; one that is malformed voids them all. */
  pairs(...names: string[]): Record<string, string> | undefined {
    const found = this.#first(names)
    if (found === undefined) return undefined
    const pairs: [string, string][] = []
    for (const member of found[1].split(',')) {
      if (member.trim() === '') continue
      const equals = member.indexOf('=')
      const pair =
        equals > 0 ? decodePair(member.slice(0, equals), member.slice(equals + 1)) : undefined
      if (pair === undefined) return this.#refuse(found[0], 'pairs like key=value,key=value')
      pairs.push(pair)
    }
    return Object.fromEntries(pairs)
  }

  /** Warns that spans were lost: once per process for each status or other cause, as it would otherwise come every few seconds. */
  lost(error: SpanExportError): void {
    const loss = lossOf(error)
    if (loss !== undefined) this.#warn(`export ${error.status ?? error.message}`, loss)
  }

  /** Warns about a variable that cannot be used. Its value is left out, as it may be a secret. */
  #refuse(name: string, expected: string): undefined {
    this.#warn(name, `Expected ${name} to be ${expected}; using the default`)
  }

  #warn(name: string, message: string): void {
    if (warned.has(name) || this.#silent) return
    warned.add(name)
    process.emitWarning(message, { code: 'MILLRACE_TRACER_ENVIRONMENT' })
  }

  #first(names: readonly string[]): [name: string, text: string] | undefined {
    for (const name of names) {
      const text = this.#env[name]?.trim()
      if (text !== undefined && text !== '') return [name, text]
    }
    return undefined
  }
}

function decodePair(key: string, value: string): [string, string] | undefined {
  try {
    return [decodeURIComponent(key.trim()), decodeURIComponent(value.trim())]
  } catch {
    return undefined
  }
}
