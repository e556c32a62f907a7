import type { Span } from '../api/span.ts'
import { RecordedSpan } from '../recorded/recorded-span.ts'
import type { TracerSpan } from '../tracer-span.ts'
import { IdleSpan } from './idle-span.ts'

/** Any span as one of this package's: its own are what they are, others count by their context. Never throws. */
export function asTracerSpan(span: unknown): TracerSpan | null {
  try {
    if (span instanceof RecordedSpan || span instanceof IdleSpan) return span
    if (typeof span !== 'object' || span === null) return null
    return IdleSpan.from((span as Span).spanContext()) ?? null
  } catch {
    return null
  }
}
