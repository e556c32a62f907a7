/**
 * What came instead of what was expected, in words that are safe to log: the type, the length and the shape of a value, never the
 * value, which may be a credential put into the wrong option.
 */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  switch (typeof value) {
    case 'number':
      return describeNumber(value)
    case 'string':
      return value === '' ? 'an empty string' : `a string of length ${value.length}`
    case 'object':
      return describeObject(value)
    case 'function':
      return 'a function'
    default:
      return `a ${typeof value}`
  }
}

function describeNumber(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (Object.is(value, -0)) return '-0'
  if (value === 0 || !Number.isFinite(value)) return String(value)
  const sign = value < 0 ? 'negative' : 'positive'
  if (!Number.isInteger(value)) return `a ${sign} number with a fraction`
  const digits = Math.abs(value) < 1e21 ? String(Math.abs(value)).length : 'over 21'
  return `a ${sign} integer of ${digits} ${digits === 1 ? 'digit' : 'digits'}`
}

function describeObject(value: object): string {
  try {
    return Array.isArray(value) ? `an array of length ${value.length}` : 'an object'
  } catch {
    // A revoked proxy answers no question at all.
    return 'an object'
  }
}
