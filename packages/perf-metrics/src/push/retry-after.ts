/** The value of a `Retry-After` header in ms: seconds or a date. `undefined` where it is neither. */
export function retryAfter(header: string | undefined, date: number): number | undefined {
  if (header === undefined) return undefined
  const delay = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - date
  return Number.isNaN(delay) ? undefined : Math.max(0, delay)
}
