import { checkPositiveOrInfinity, InvalidOptionError, type OptionRule } from '@millrace/kit'

/** A time limit in ms, above 0. Infinity means none and comes out as 0. */
export function checkTimeLimit(option: string, value: unknown): number {
  const limit = checkPositiveOrInfinity(option, value)
  return limit === Infinity ? 0 : limit
}

/** A feature with options of its own: `true` and `{}` switch it on with its defaults, `false` leaves it off. */
export function feature<S>(isOn: boolean, resolve: OptionRule<S>): OptionRule<S | undefined> {
  return (option, given: unknown = isOn) => {
    if (given === false) return undefined
    if (given === true) return resolve(option, {})
    if (typeof given === 'object' && given !== null) return resolve(option, given)
    throw new InvalidOptionError(option, 'true, false or an object of options', given)
  }
}
