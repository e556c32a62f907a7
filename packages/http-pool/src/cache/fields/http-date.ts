const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']

const IMF =
  /^[a-z]{3}, (?<day>\d\d) (?<month>[a-z]{3}) (?<year>\d{4}) (?<time>\d\d:\d\d:\d\d) gmt$/i
const ASCTIME =
  /^[a-z]{3} (?<month>[a-z]{3}) (?<day>[ \d]\d) (?<time>\d\d:\d\d:\d\d) (?<year>\d{4})$/i
const RFC_850 =
  /^[a-z]{6,9}, (?<day>\d\d)-(?<month>[a-z]{3})-(?<year>\d\d) (?<time>\d\d:\d\d:\d\d) gmt$/i

/**
 * Reads a date in one of the three forms of RFC 9110 section 5.6.7, in any case of letters. The day of the week says nothing that the
 * rest does not, and is not looked at.
 *
 * @returns ms since the epoch, or undefined if it is no date
 */
export function parseHttpDate(value: string): number | undefined {
  const { groups } = IMF.exec(value) ?? ASCTIME.exec(value) ?? RFC_850.exec(value) ?? {}
  if (groups === undefined) return undefined
  const { day, month, year, time } = groups as Record<'day' | 'month' | 'year' | 'time', string>
  const monthIndex = MONTHS.indexOf(month.toLowerCase())
  const [hour, minute, second] = time.split(':').map(Number) as [number, number, number]
  if (monthIndex === -1 || hour > 23 || minute > 59 || second > 60) return undefined
  const fullYear = year.length === 4 ? Number(year) : nearestYear(Number(year))
  const date = new Date(Date.UTC(fullYear, monthIndex, Number(day), hour, minute, second))
  // The 31st of February would be one of March.
  return date.getUTCMonth() === monthIndex ? date.getTime() : undefined
}

/** A year of two digits that seems to be more than 50 years ahead is the last one in the past that ends so. */
function nearestYear(digits: number): number {
  const now = new Date().getUTCFullYear()
  const year = now - (now % 100) + digits
  return year > now + 50 ? year - 100 : year
}
