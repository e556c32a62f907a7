import { checkNonNegativeOrInfinity, InvalidOptionError } from '@millrace/kit'

/** A time limit in ms. Both 0 and Infinity mean "none" and come out as 0. */
export function checkTimeLimit(option: string, value: unknown): number {
  const limit = checkNonNegativeOrInfinity(option, value)
  return limit === Infinity ? 0 : limit
}

/** `true` and `{}` switch a feature on with its defaults, `false` leaves it off. */
export function resolveFeature<T extends object>(
  option: string,
  value: boolean | T,
): Partial<T> | undefined {
  if (value === true) return {}
  if (value === false) return undefined
  if (typeof value !== 'object' || value === null) {
    throw new InvalidOptionError(option, 'true, false or an object of options', value)
  }
  return value
}
