import type { TracerSpan } from '../span/tracer-span.ts'

/**
 * The spans that stand for a whole outgoing call of `@millrace/http-pool`. Where a call is one span, its attempts, its waits for permits
 * and the client below make none inside of it.
 */
export class OutgoingCalls {
  readonly #spans = new WeakSet<TracerSpan>()

  add(span: TracerSpan): void {
    this.#spans.add(span)
  }

  /** Whether what starts under this span belongs to the call that the span stands for. */
  covers(span: TracerSpan | null): boolean {
    return span !== null && this.#spans.has(span)
  }
}
