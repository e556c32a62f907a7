import { InvalidOptionError } from '@millrace/kit'

/** @throws {InvalidOptionError} for what is no number of permits of which `most` may have been granted */
export function checkRefund(cost: number, most: number): void {
  if (typeof cost === 'number' && cost >= 0 && cost <= most) return
  throw new InvalidOptionError(
    'cost',
    `a number from 0 to the ${most} that may have been granted`,
    cost,
  )
}
