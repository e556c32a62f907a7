/**
 * The wait that a response asks for, in ms (RFC 9110 section 10.2.3), or undefined without a usable
 * `Retry-After`. A date is measured against the response's own `Date`, so the two clocks need not agree.
 */
export function retryAfter(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  wallTime: () => number = Date.now,
): number | undefined {
  const value = headers['retry-after']
  if (typeof value !== 'string') return undefined
  if (/^\d+$/.test(value)) return Number(value) * 1000
  const date = httpDate(value)
  if (date === undefined) return undefined
  const sent = typeof headers.date === 'string' ? httpDate(headers.date) : undefined
  return Math.max(0, date - (sent ?? wallTime()))
}

/**
 * ms since 1970, or undefined where it is no date of HTTP. Only what begins with a day's name: Date.parse alone takes "1" and "-5" for dates. The
 * form of asctime names no zone and means GMT (RFC 9110 section 5.6.7), where Date.parse takes the machine's.
 */
export function httpDate(value: string): number | undefined {
  if (!/^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(value)) return undefined
  const time = Date.parse(/\d$/.test(value) ? `${value} GMT` : value)
  return Number.isNaN(time) ? undefined : time
}
