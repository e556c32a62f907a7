const TWO_63 = 2 ** 63
const MAX_INT64 = 2n ** 63n - 1n
const MIN_INT64 = -(2n ** 63n)

/** Whether OTLP says this number as `int_value`; as `double_value` otherwise. */
export function isInt64(value: number): boolean {
  return Number.isInteger(value) && value >= -TWO_63 && value < TWO_63
}

/** Whether `int_value` has room for this; it is said as a string otherwise. */
export function fitsInt64(value: bigint): boolean {
  return value <= MAX_INT64 && value >= MIN_INT64
}
