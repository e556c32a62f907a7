import { counters, gauges, type StatsKinds } from '@millrace/kit'
import type { SpanRecord } from '../span/recorded/span-record.ts'
import type { Resource } from './resource.ts'

/**
 * Where ended spans go. The tracer hands them over in slices from a macrotask of its own and never calls two
 * methods at once. No method should throw or reject: failures are counted in `stats()` and reported through
 * the exporter's own `onError`. Where one does, the span that it was given counts as dropped, and the process is warned once.
 */
export interface Exporter {
  /** Tells whose spans will come; called once, by the tracer. */
  open?(resource: Resource): void
  /** Takes one span. `span` is overwritten after the call. Synchronous. */
  write(span: SpanRecord): void
  /** Sends what was written, soon. Called about every `delay` and at a full batch. */
  send(): void
  /** Resolves when everything written so far was delivered or given up. */
  flush(): Promise<void>
  /** Flushes and releases sockets and files. */
  close(): Promise<void>
  /** Last chance while the process exits: write synchronously what can be, or count it as dropped. */
  closeSync?(): void
  stats(): ExporterStats
}

export interface ExporterStats {
  /** Spans delivered. */
  exported: number
  /** Spans given up: the queue was full, the collector refused them, retries ran out. */
  dropped: number
  /** Spans written and neither delivered nor given up yet. */
  queued: number
  /** Bytes that these hold. */
  queuedBytes: number
}

/** For `describeStats` of exporters. */
export const EXPORTER_KINDS: StatsKinds<ExporterStats> = {
  ...counters('exported', 'dropped'),
  ...gauges('queued', 'queuedBytes'),
}
