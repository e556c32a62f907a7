import { InvalidOptionError } from '../errors.ts'

/** Milliseconds; 0 and Infinity both mean "none" and come out as 0. */
export function duration(option: string, value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback
  if (typeof value !== 'number' || !(value >= 0)) {
    throw new InvalidOptionError(option, 'a number of milliseconds, 0 or more', value)
  }
  return value === Number.POSITIVE_INFINITY ? 0 : value
}

/** Milliseconds that are no limit: 0 is none of them, and for ever has no sense. */
export function wait(option: string, value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback
  if (!Number.isFinite(value) || value < 0) {
    throw new InvalidOptionError(option, 'a finite number of milliseconds, 0 or more', value)
  }
  return value
}

/** Milliseconds, more than none. */
export function span(option: string, value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback
  if (!Number.isFinite(value) || value <= 0) {
    throw new InvalidOptionError(option, 'more than 0 ms and finite', value)
  }
  return value
}

/** A whole number of things, or Infinity. */
export function count(
  option: string,
  value: number | undefined,
  fallback: number,
  least = 1,
): number {
  if (value === undefined) return fallback
  if (value === Number.POSITIVE_INFINITY) return value
  if (!Number.isInteger(value) || value < least) {
    const expected = least === 0 ? 'an integer, 0 or more,' : 'a positive integer'
    throw new InvalidOptionError(option, `${expected} or Infinity`, value)
  }
  return value
}

/** A share, between the bounds given, both included. */
export function ratio(
  option: string,
  value: number | undefined,
  fallback: number,
  least = 0,
  most = 1,
): number {
  if (value === undefined) return fallback
  if (typeof value !== 'number' || !(value >= least && value <= most)) {
    throw new InvalidOptionError(option, `a number between ${least} and ${most}`, value)
  }
  return value
}

/** A number from `least` on. */
export function atLeast(
  option: string,
  value: number | undefined,
  fallback: number,
  least: number,
): number {
  if (value === undefined) return fallback
  if (typeof value !== 'number' || !(value >= least) || value === Number.POSITIVE_INFINITY) {
    throw new InvalidOptionError(option, `a number, ${least} or more`, value)
  }
  return value
}

export function flag(option: string, value: boolean | undefined, fallback: boolean): boolean {
  if (value === undefined) return fallback
  if (typeof value !== 'boolean') throw new InvalidOptionError(option, 'true or false', value)
  return value
}

export function callback<T>(option: string, value: T | undefined): T | undefined {
  if (value !== undefined && typeof value !== 'function') {
    throw new InvalidOptionError(option, 'a function', value)
  }
  return value
}

/** `true` and `{}` switch a feature on with its defaults, `false` and nothing leave it off. */
export function feature<T extends object>(
  option: string,
  value: boolean | T | undefined,
  fallback: boolean,
): Partial<T> | undefined {
  const chosen = value ?? fallback
  if (chosen === true) return {}
  if (chosen === false) return undefined
  if (typeof chosen !== 'object') {
    throw new InvalidOptionError(option, 'true, false or an object of options', value)
  }
  return chosen
}

/** Refuses names that no option has: a misspelt limit must not silently be no limit. */
export function onlyKnown(option: string, value: object, known: readonly string[]): void {
  for (const name of Object.keys(value)) {
    if (!known.includes(name)) {
      throw new InvalidOptionError(
        option === '' ? name : `${option}.${name}`,
        'absent, as there is no such option',
        (value as Record<string, unknown>)[name],
      )
    }
  }
}
