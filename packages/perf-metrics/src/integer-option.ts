import { InvalidOptionError } from './errors.ts'

/** @throws InvalidOptionError unless `value` is a whole number from `least` to `most` */
export function integerOption(option: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw new InvalidOptionError(option, `an integer from ${least} to ${most}`, value)
}
