import { isLegacyLabelName, isLegacyMetricName, legacyLabel, legacyName } from './name.ts'

/**
 * How names appear that Prometheus 2 would not accept, as scrapers ask for it by `escaping=`. Names that it accepts stay as they are.
 * - `allow-utf-8`: as they are
 * - `underscores`: an underscore for each code point that is not accepted
 * - `dots`: `_dot_` for dots, two underscores for underscores and for what is not accepted
 * - `values`: `U__`, then each code point that is not accepted in hexadecimal between underscores
 */
export type Escaping = (typeof ESCAPINGS)[number]

export const ESCAPINGS = ['underscores', 'dots', 'values', 'allow-utf-8'] as const

export function isEscaping(value: string | undefined): value is Escaping {
  return (ESCAPINGS as readonly unknown[]).includes(value)
}

/** The name of a metric, suffix of counters included, as `escaping` has it. Algorithm: `EscapeMetricFamily` of prometheus/common. */
export function escapeMetricName(name: string, escaping: Escaping): string {
  if (isLegacyMetricName(name)) return name
  return escaping === 'underscores' ? legacyName(name) : spelledOut(name, escaping, /[a-zA-Z:]/)
}

/** As {@link escapeMetricName}, for labels, which may not contain colons. */
export function escapeLabelName(name: string, escaping: Escaping): string {
  if (isLegacyLabelName(name)) return name
  return escaping === 'underscores' ? legacyLabel(name) : spelledOut(name, escaping, /[a-zA-Z]/)
}

function spelledOut(name: string, escaping: Escaping, letters: RegExp): string {
  if (escaping === 'allow-utf-8') return name
  if (escaping === 'dots') {
    return escaped(name, letters, character => (character === '.' ? '_dot_' : '__'))
  }
  const code = (character: string): string =>
    character === '_' ? '__' : `_${character.codePointAt(0)!.toString(16)}_`
  return `U__${escaped(name, letters, code)}`
}

/** Letters stay, digits do after the first character, and `replace` says what becomes of the rest. */
function escaped(name: string, letters: RegExp, replace: (character: string) => string): string {
  let result = ''
  for (const character of name) {
    const stays = letters.test(character) || (result !== '' && /[0-9]/.test(character))
    result += stays ? character : replace(character)
  }
  return result
}
