/* Numbers for people. */

export const digits = value =>
  value === null || value === undefined || Number.isNaN(value)
    ? '–'
    : Math.abs(value) >= 100
      ? Math.round(value).toLocaleString('en')
      : String(Number(value.toPrecision(3)))

export const percent = share => (share === null ? '–' : `${digits(share * 100)} %`)

export function milliseconds(value) {
  if (value === null || value === undefined) return '–'
  if (value === 0) return '0 ms'
  if (value >= 60_000) return `${digits(value / 60_000)} min`
  if (value >= 1000) return `${digits(value / 1000)} s`
  return value >= 1 ? `${digits(value)} ms` : `${digits(value * 1000)} µs`
}

export function bytes(value) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let power = 0
  while (Math.abs(value) >= 1024 && power < units.length - 1) {
    value /= 1024
    power++
  }
  return `${digits(value)} ${units[power]}`
}
