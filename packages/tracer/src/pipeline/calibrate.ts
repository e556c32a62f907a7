import { IdSource } from '../span/id-source.ts'
import { PooledSpan } from '../span/pooled-span.ts'
import type { Scope } from '../span/span.ts'
import type { SpanHost } from '../span/span-host.ts'
import type { ResolvedLimits } from '../span/span-limits.ts'
import { SpanTable } from '../span/span-table.ts'
import { toClockTime } from '../span/time-input.ts'

const SPANS = 2_000
/** Attributes of a typical span. */
const KEYS = ['one', 'two', 'three', 'four', 'five']

/** Milliseconds that a span with five attributes costs its caller, from a few hundred microseconds of trying it out. */
export function calibrate(limits: ResolvedLimits, scope: Scope): number {
  const host: SpanHost = {
    limits,
    now: () => performance.now(),
    at: time =>
      time === undefined ? performance.now() : toClockTime(time, performance.timeOrigin),
    ended: (table, slot) => table.release(slot),
    endedRecord() {},
  }
  const ids = new IdSource()
  const table = new SpanTable(1, ids, host, scope)
  const began = performance.now()
  for (let i = 0; i < SPANS; i++) {
    const serial = ids.next()
    const slot = table.open(serial, scope, 'calibration', 0, performance.now(), null)
    const span = new PooledSpan(table, slot, serial, null)
    for (const key of KEYS) span.setAttribute(key, i)
    span.end()
  }
  return (performance.now() - began) / SPANS
}
