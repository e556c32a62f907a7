/** A file or folder that could not be looked at. */
export interface Problem {
  readonly path: string
  readonly reason: string
}

/** One line about what was left out; undefined if nothing was. */
export function leftOut(problems: readonly Problem[]): string | undefined {
  const [first] = problems
  if (first === undefined) return undefined
  const others = problems.length > 1 ? ` and ${problems.length - 1} more` : ''
  return `Left out ${first.path}${others}: ${first.reason}`
}
