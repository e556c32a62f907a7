/**
 * What came instead of what was expected, in words that are safe to log: the type, the length and the shape of a value, never the
 * value, which may be a credential put into the wrong option.
 */
export function describe(value: unknown): string {
  switch (typeof value) {
    case 'number':
      return describeNumber(value)
    case 'string':
      return value === '' ? 'an empty string' : `a string of length ${value.length}`
    case 'object':
      return value === null ? 'null' : describeObject(value)
    case 'undefined':
      return 'undefined'
    default:
      return `a ${typeof value}`
  }
}

function describeNumber(value: number): string {
  if (Object.is(value, -0)) return '-0'
  if (!value || !Number.isFinite(value)) return `${value}`
  const sign = `a ${value < 0 ? 'negative' : 'positive'}`
  if (!Number.isInteger(value)) return `${sign} number with a fraction`
  const size = Math.abs(value)
  const digits = size < 1e21 ? `${size}`.length : 'over 21'
  return `${sign} integer of ${digits} digit${digits === 1 ? '' : 's'}`
}

function describeObject(value: object): string {
  try {
    if (Array.isArray(value)) return `an array of length ${value.length}`
  } catch {
    // A revoked proxy answers no question at all.
  }
  return 'an object'
}
