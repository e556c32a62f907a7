import type { FollowedChange } from '../analyse/follow-tree.ts'
import { counted } from '../report/counted.ts'
import { count } from '../report/render-report.ts'
import { shownPath } from '../report/shown-path.ts'

/** ms after a mark within which changes wait for others: a build edits one file after the other, and would fill the charts with marks. */
const PAUSE = 5_000
/** Characters of a path, of which the end says most. */
const LONGEST_PATH = 30

/** Marks followed changes: one at once, and those of the seconds after it together at their end. */
export class ChangeMarks implements Disposable {
  readonly #mark: (text: string) => void
  readonly #waiting: FollowedChange[] = []
  #pause: NodeJS.Timeout | undefined

  constructor(mark: (text: string) => void) {
    this.#mark = mark
  }

  add(change: FollowedChange): void {
    this.#waiting.push(change)
    if (this.#pause === undefined) this.#markAll()
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#pause)
  }

  #markAll(): void {
    this.#pause = undefined
    const changes = this.#waiting.splice(0)
    if (changes.length === 0) return
    this.#mark(textOf(changes))
    this.#pause = setTimeout(() => this.#markAll(), PAUSE)
    this.#pause.unref()
  }
}

function textOf(changes: readonly FollowedChange[]): string {
  const sum = (of: 'recomputed' | 'cutOff') =>
    count(changes.reduce((total, { analysis }) => total + analysis.results[of], 0))
  return `${named(changes)}: ${sum('recomputed')} recomputed, ${sum('cutOff')} cut off`
}

function named(changes: readonly FollowedChange[]): string {
  const [first] = changes as [FollowedChange]
  if (changes.length > 1) return `${counted(changes.length, 'change')} of the tree`
  const paths = first.all === undefined ? first.paths : first.changed
  const [path] = paths
  if (paths.length !== 1 || path === undefined) return `${counted(paths.length, 'path')} changed`
  const shown = shownPath(path)
  return `Changed ${shown.length > LONGEST_PATH ? `…${shown.slice(1 - LONGEST_PATH)}` : shown}`
}
