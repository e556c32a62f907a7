import { InvalidOptionError } from '@millrace/kit'

/** @throws {InvalidOptionError} for what is no number of permits that have been granted */
export function checkRefund(cost: number, granted: number): void {
  if (typeof cost === 'number' && cost >= 0 && cost <= granted) return
  throw new InvalidOptionError('cost', `a number from 0 to the ${granted} granted`, cost)
}
