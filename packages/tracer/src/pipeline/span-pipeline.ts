import type { Resolved } from '@millrace/kit'
import { ALWAYS, HeadSampling, NEVER } from '../sampling/head-sampling.ts'
import type { Sampler } from '../sampling/sampler.ts'
import { TailSampling, type TailSettings } from '../sampling/tail-sampling.ts'
import {
  type Scope,
  SpanKind,
  type SpanOptions,
  StatusCode,
  type TimeInput,
} from '../span/api/span.ts'
import { IdleSpan } from '../span/idle/idle-span.ts'
import { IdSource } from '../span/ids/id-source.ts'
import { RECORDED, type TraceRecord } from '../span/ids/trace-record.ts'
import { kindInput, nameText, toClockTime } from '../span/inputs.ts'
import { beginAt } from '../span/recorded/given-times.ts'
import { RecordedSpan } from '../span/recorded/recorded-span.ts'
import { ResolvedLimits, type SpanLimits } from '../span/recorded/span-limits.ts'
import { SpanPool } from '../span/recorded/span-pool.ts'
import type { SpanHost, SpanRecord } from '../span/recorded/span-record.ts'
import type { TracerSpan } from '../span/tracer-span.ts'
import type { EpochClock } from '../time/clock.ts'
import { calibrate } from './calibrate.ts'
import { DeliveryHold } from './delivery-hold.ts'
import type { GuardedExporter } from './guarded-exporter.ts'
import { OverheadGovernor } from './overhead-governor.ts'
import type { SlowSpan } from './slow-spans.ts'
import { type DrainOptions, SpanDrain } from './span-drain.ts'
import type { TracerStats } from './tracer-stats.ts'

/** Publishes each recorded span that ended, as a {@link SpanRecord} valid during the call. */
const endChannel = process
  .getBuiltinModule('node:diagnostics_channel')
  .channel('millrace:trace:span')

/** Time between two looks at the wall clock while traces begin, in milliseconds. */
const VERIFY = 1_000

export interface PipelineOptions extends DrainOptions {
  readonly exporter: GuardedExporter
  readonly sampler: Sampler
  readonly clock: EpochClock
  readonly scope: Scope
  readonly limits: Resolved<SpanLimits>
  readonly pool: number
  readonly lazy: boolean
  readonly optimized: number
  readonly tail: TailSettings | undefined
  readonly budget: number | undefined
}

/** Everything between the start of a span and its exporter; shared by all tracers of one provider. */
export class SpanPipeline implements SpanHost {
  readonly limits: ResolvedLimits
  readonly head: HeadSampling
  readonly drain: SpanDrain
  /** Whether no root is ever recorded; no budget changes that. */
  readonly dropsRoots: boolean
  readonly #exporter: GuardedExporter
  readonly #clock: EpochClock
  readonly #scope: Scope
  readonly #poolSize: number
  readonly #tail: TailSampling | null
  readonly #governor: OverheadGovernor | null
  readonly #hold: DeliveryHold
  #ids = IdSource.shared()
  #pool: SpanPool
  /** Share of traces on the optimised path, in percent. */
  #optimized: number
  /** Epoch milliseconds of the clock's zero, and when that was last asked. */
  #epoch: number
  #verified: number
  #costPerSpan: number | undefined
  #started = 0
  #ended = 0
  #unpooled = 0
  #closed = false
  #closing: Promise<void> | undefined
  #droppedLate = 0

  constructor(options: PipelineOptions) {
    this.limits = new ResolvedLimits(options.limits, options.lazy)
    this.head = new HeadSampling(options.sampler)
    this.#exporter = options.exporter
    this.#clock = options.clock
    this.#scope = options.scope
    this.#poolSize = options.pool
    this.#optimized = options.optimized
    this.#epoch = options.clock.epoch?.() ?? 0
    this.#verified = options.clock.now()
    this.drain = new SpanDrain(this.#exporter, options.clock, options)
    this.#tail = options.tail === undefined ? null : new TailSampling(options.tail, this.drain)
    this.#hold = new DeliveryHold(options.clock, () => this.#owes)
    this.dropsRoots = this.head.mode === NEVER && this.#tail === null
    this.#pool = this.#newPool()
    const { budget } = options
    this.#governor = budget === undefined ? null : new OverheadGovernor(budget, this, options.clock)
  }

  /** Milliseconds that starting, filling and ending a span takes, on this machine; measured on first use. */
  get costPerSpan(): number {
    return (this.#costPerSpan ??= calibrate(this.limits, this.#scope))
  }

  /** Recorded spans started so far. */
  get started(): number {
    return this.#started
  }

  /** Starts a span. Never throws. */
  start(
    scope: Scope,
    name: string,
    parent: TracerSpan | null,
    options: SpanOptions | undefined,
  ): TracerSpan {
    if (parent === null && this.dropsRoots) return this.droppedRoot()
    if (typeof name !== 'string') name = nameText(name)
    const { head } = this
    if (this.#tail !== null) return this.#startHeld(this.#tail, scope, name, parent, options)
    if (parent !== null) {
      const trace = head.parentBased ? parent.trace() : head.child(parent, name, options)
      if ((trace.flags & RECORDED) === 0) return new IdleSpan(trace)
      return this.#granted(this.#record(scope, name, this.#serial(), parent, trace, options))
    }
    const serial = this.#serial()
    if (head.mode === ALWAYS) return this.#record(scope, name, serial, null, null, options)
    const trace = head.root(this.#ids, serial, name, options)
    if (trace === undefined) return new IdleSpan(serial)
    if (trace !== null && (trace.flags & RECORDED) === 0) return new IdleSpan(trace)
    return this.#granted(this.#record(scope, name, serial, null, trace, options))
  }

  /** What starts instead of a root that is not recorded. Apart from {@link start}, so that the engine puts it into its callers. */
  droppedRoot(): TracerSpan {
    return new IdleSpan(0)
  }

  /** With tail sampling every span is recorded, and held until its root in this process has ended. */
  #startHeld(
    tail: TailSampling,
    scope: Scope,
    name: string,
    parent: TracerSpan | null,
    options: SpanOptions | undefined,
  ): TracerSpan {
    const serial = this.#serial()
    let trace: TraceRecord
    if (parent === null) {
      trace = this.head.tailRoot(this.#ids, serial, name, options)
    } else {
      trace = this.head.parentBased ? parent.trace() : this.head.child(parent, name, options)
      // A span without a record cannot become part of a held trace: it was suppressed.
      if (trace.held === null && !parent.isRemote()) trace = trace.with(trace.flags, trace.state)
    }
    trace.flags |= RECORDED
    if (parent === null || parent.isRemote()) tail.begin(trace, this.#clock.now())
    return this.#granted(this.#record(scope, name, serial, parent, trace, options))
  }

  /** Gives a span the attributes that the sampler has for it. */
  #granted(span: TracerSpan): TracerSpan {
    const { granted } = this.head
    if (granted !== undefined) {
      this.head.granted = undefined
      span.setAttributes(granted)
    }
    return span
  }

  /** A span that is not recorded, whatever the sampler says. */
  unrecorded(parent: TracerSpan | null): TracerSpan {
    return new IdleSpan(parent?.trace().with(0, undefined) ?? 0)
  }

  #record(
    scope: Scope,
    name: string,
    serial: number,
    parent: TracerSpan | null,
    trace: TraceRecord | null,
    options: SpanOptions | undefined,
  ): TracerSpan {
    this.#started++
    const pooled = this.#optimized === 100 || this.#isOptimized(serial, trace)
    const record = (pooled ? this.#pool.take() : null) ?? this.#single(pooled)
    record.owner = serial
    record.serial = serial
    record.scope = scope
    record.name = name
    record.trace = trace
    record.status = StatusCode.UNSET
    if (parent === null) {
      record.parentHigh = 0
      record.parentLow = 0
      record.parentRemote = false
    } else {
      record.parentHigh = parent.spanHigh()
      record.parentLow = parent.spanLow()
      record.parentRemote = parent.isRemote()
    }
    const span = new RecordedSpan(record, serial, trace)
    const now = this.#clock.now()
    record.kind = SpanKind.INTERNAL
    record.start = now
    record.epoch = this.#epochOf(trace, now)
    if (options !== undefined) this.#apply(options, record, span)
    return span
  }

  #apply(options: SpanOptions, record: SpanRecord, span: RecordedSpan): void {
    try {
      const { startTime } = options
      if (startTime !== undefined) beginAt(record, startTime)
      record.kind = kindInput(options.kind)
      if (options.attributes !== undefined) span.setAttributes(options.attributes)
      if (options.links !== undefined) span.addLinks(options.links)
    } catch {
      // A getter of the caller's options threw: starting a span never does. What was read before it stays.
    }
  }

  /** A record beside the pool: all are taken, or the trace is on the plain path. */
  #single(lazy: boolean): SpanRecord {
    this.#unpooled++
    return this.#pool.makeSingle(lazy && this.limits.lazy)
  }

  now(): number {
    return this.#clock.now()
  }

  at(time: TimeInput | undefined, epoch: number): number {
    if (time === undefined) return this.#clock.now()
    const at = toClockTime(time, epoch)
    return Number.isNaN(at) ? this.#clock.now() : at
  }

  ended(record: SpanRecord): void {
    this.#ended++
    if (endChannel.hasSubscribers) endChannel.publish(record)
    if (this.#closed) {
      this.#droppedLate++
      record.pool.release(record)
      return
    }
    this.#hold.begin()
    if (this.#tail !== null) this.#tail.ended(record)
    else this.drain.add(record)
  }

  /** Whether spans that have ended are still on their way. */
  get #owes(): boolean {
    return this.drain.waiting + (this.#tail?.held ?? 0) + this.#exporter.stats().queued > 0
  }

  /** Where the clock's zero is for spans of this trace: where it was when the trace began here. */
  #epochOf(trace: TraceRecord | null, now: number): number {
    if (trace === null) return this.#epochAt(now)
    // Not yet: the trace begins here.
    if (Number.isNaN(trace.epoch)) trace.epoch = this.#epochAt(now)
    return trace.epoch
  }

  #epochAt(now: number): number {
    // Both ways, as the clock that was given may be a wall clock.
    if (Math.abs(now - this.#verified) >= VERIFY) {
      this.#epoch = this.#clock.epoch?.() ?? 0
      this.#verified = now
    }
    return this.#epoch
  }

  setOptimized(percent: number): void {
    this.#optimized = percent
  }

  async flush(): Promise<void> {
    await this.drain.drain()
    await this.#exporter.flush()
  }

  flushSync(): void {
    this.#tail?.decideAll()
    this.drain.drainSync()
    this.#exporter.closeSync()
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#end())
  }

  async #end(): Promise<void> {
    this.#tail?.decideAll()
    await this.drain.drain()
    this.#closed = true
    this.#governor?.close()
    this.drain.cancel()
    await this.#exporter.close()
    this.#hold.end()
  }

  slowSpans(): SlowSpan[] {
    return this.drain.slow.list(this.#clock.now())
  }

  stats(): TracerStats {
    const { exported, dropped, queued, queuedBytes } = this.#exporter.stats()
    return {
      started: this.#started,
      ended: this.#ended,
      unpooled: this.#unpooled,
      poolFree: this.#pool.free,
      lateCalls: this.#pool.lateCalls,
      waiting: this.drain.waiting,
      held: this.#tail?.held ?? 0,
      rejected: this.#tail?.rejected ?? 0,
      exported,
      dropped: dropped + this.#droppedLate + this.#exporter.lost,
      queued,
      queuedBytes,
      encoding: this.drain.busy,
      overhead: this.#governor?.overhead ?? 0,
      allowed: this.#governor?.allowed ?? 1,
      optimized: this.#optimized,
    }
  }

  /** The rollout is decided by the trace id, so all spans of a trace take the same path. */
  #isOptimized(serial: number, trace: TraceRecord | null): boolean {
    const word = trace === null ? this.#ids.traceWord(serial, 1) : trace.b
    return (word >>> 0) % 100 < this.#optimized
  }

  #serial(): number {
    return this.#ids.next() || this.#renewIds()
  }

  /** After two billion spans: new keys, and a new pool so that no serial ever repeats within one. */
  #renewIds(): number {
    this.#ids = this.#ids.successor
    this.#pool = this.#newPool()
    return this.#serial()
  }

  #newPool(): SpanPool {
    return new SpanPool(this.#poolSize, this.#ids, this, this.#scope)
  }
}
