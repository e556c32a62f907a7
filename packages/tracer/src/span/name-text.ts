/** A name as text, whatever it is: hot-path calls never throw, and converting a stranger's object can. */
export function nameText(name: unknown): string {
  if (typeof name === 'string') return name
  try {
    return String(name)
  } catch {
    return ''
  }
}
