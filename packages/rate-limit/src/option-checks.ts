import { InvalidOptionError } from './errors.ts'

/** @returns the value, known to be a finite number above zero */
export function positive(option: string, value: number): number {
  if (typeof value === 'number' && value > 0 && value < Infinity) return value
  throw new InvalidOptionError(option, 'a positive finite number', value)
}

/** @returns the value, known to be a number of at least zero; Infinity is allowed */
export function nonNegative(option: string, value: number): number {
  if (typeof value === 'number' && value >= 0) return value
  throw new InvalidOptionError(option, 'a number of at least 0', value)
}

/** @returns the value, known to be a whole number above zero */
export function positiveInteger(option: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new InvalidOptionError(option, 'a positive integer', value)
}

/** @returns the value, known to be a bound on a number of things: a whole number of at least zero, or Infinity */
export function bound(option: string, value: number): number {
  if (value === Infinity || (Number.isSafeInteger(value) && value >= 0)) return value
  throw new InvalidOptionError(option, 'a non-negative integer or Infinity', value)
}

/** @returns the value, known to be a string with something in it */
export function nonEmpty(option: string, value: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw new InvalidOptionError(option, 'a string that is not empty', value)
}

/** @returns the value, known to be one of those named */
export function oneOf<T extends string>(option: string, value: T, allowed: readonly T[]): T {
  if (allowed.includes(value)) return value
  const names = allowed.map(name => `'${name}'`).join(', ')
  throw new InvalidOptionError(option, `one of ${names}`, value)
}
