import type { FollowedChange } from '../analyse/follow-tree.ts'
import { counted } from './counted.ts'
import { duration, renderResults } from './render-report.ts'
import { shownPath } from './shown-path.ts'

/** Why all files were looked at, though none was named. */
const CAUSES: Readonly<Record<NonNullable<FollowedChange['all']>, string>> = {
  start: 'watching began',
  overflow: 'more changed at once than the system reports',
  lost: 'the system may not have reported each change',
  interval: 'it is every now and then',
  manual: 'that was asked for',
}

/** One line about what changed and how far that reached; undefined if all files were looked at and nothing had changed. */
export function renderChange({
  paths,
  all,
  changed,
  analysis,
  time,
}: FollowedChange): string | undefined {
  const outcome = `${renderResults(analysis.results)}, in ${duration(time)}`
  if (all === undefined) return `${named(paths, 'changed')}: ${outcome}`
  if (changed.length === 0) return undefined
  return `Everything was looked at anew, as ${CAUSES[all]}: ${named(changed, 'had changed')}: ${outcome}`
}

function named(paths: readonly string[], verb: string): string {
  const [first] = paths
  const others = paths.length > 1 ? ` and ${(paths.length - 1).toLocaleString('en-US')} more` : ''
  const names = first === undefined ? '' : ` (${shownPath(first)}${others})`
  return `${counted(paths.length, 'path')} ${verb}${names}`
}
