/** The value of a `Retry-After` header in ms: seconds, or a date, which begins with a day. `undefined` where it is neither. */
export function retryAfter(header: string | undefined, date: number): number | undefined {
  if (header === undefined) return undefined
  if (/^\d+$/.test(header)) return Number(header) * 1000
  const delay = /^[A-Z][a-z]{2}/.test(header) ? Date.parse(header) - date : NaN
  return Number.isNaN(delay) ? undefined : Math.max(0, delay)
}
