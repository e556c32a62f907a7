import { heed, isError } from '@millrace/kit'

/** A slow operation that a tracer kept. */
export interface DashboardSpan {
  readonly name: string
  /** Milliseconds. */
  readonly duration: number
  /** When it began, in milliseconds since the epoch. */
  readonly start: number
  readonly traceId: string
  readonly error?: boolean
}

/** Rows that are sent. */
const MOST = 50

/** The slow operations of a source that may be the program's own, without rows that are none. */
export class SlowSpans {
  readonly #source: () => readonly DashboardSpan[]
  #warned = false

  constructor(source: () => readonly DashboardSpan[]) {
    this.#source = source
  }

  /** What the source throws fails no frame, and is warned of once. */
  read(): DashboardSpan[] {
    try {
      const spans = this.#source()
      if (heed(spans)) throw new TypeError('They must be there at once')
      return Array.from(spans, rowOf).filter(isRow).slice(0, MOST)
    } catch (error) {
      if (!this.#warned) warn(error)
      this.#warned = true
      return []
    }
  }
}

function rowOf({ name, duration, start, traceId, error }: DashboardSpan): DashboardSpan {
  return { name, duration, start, traceId, error: error === true }
}

function isRow({ name, duration, start, traceId }: DashboardSpan): boolean {
  const texts = typeof name === 'string' && typeof traceId === 'string'
  return texts && Number.isFinite(duration) && Number.isFinite(start)
}

function warn(error: unknown): void {
  const kind = isError(error) ? error.name : typeof error
  process.emitWarning(`The slow spans of a dashboard cannot be read: ${kind}`, {
    code: 'MILLRACE_DASHBOARD_SLOW_SPANS',
  })
}
