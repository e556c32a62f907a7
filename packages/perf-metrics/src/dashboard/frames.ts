import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'
import type { Guard } from '../guard/guard.ts'
import { alertSentence } from '../guard/prometheus/alert-sentence.ts'
import type { Registry } from '../registry/registry.ts'
import { hitRatio, type Part, partsOf } from '../report/parts.ts'
import {
  CHART_WINDOW,
  type TimingReport,
  timedSeries,
  timingReport,
} from '../report/timing-report.ts'
import type { Moment } from '../time/timeline.ts'
import { Busiest } from './busiest.ts'
import { ChartHistory, type ChartPoint, type FrameHistory, operationName } from './chart-history.ts'
import { RecentHits } from './recent-hits.ts'
import { type DashboardSpan, SlowSpans } from './slow-spans.ts'

/** One moment, as the page shows it. */
export interface Frame {
  readonly sequence: number
  /** ms since 1970. */
  readonly time: number
  /** ms from any origin that never step back: what rates are taken over. */
  readonly elapsed: number
  readonly process: {
    readonly pid: number
    readonly node: string
    readonly uptime: number
    readonly rss: number
    readonly heapUsed: number
    readonly heapLimit: number
    readonly utilization: number
    /** `null` without a viewer. */
    readonly delayP99: number | null
  }
  readonly verdict: { readonly level: 'good' | 'warning' | 'bad'; readonly text: string }
  /** With the share of hits since the start and of the last ten seconds. */
  readonly parts: readonly (Part & {
    readonly hitRatio: number | null
    readonly recentHitRatio: number | null
  })[]
  readonly timings: readonly TimingReport[]
  /** Calls and failures per second since the last frame, of all timings or those that the charts are about. */
  readonly calls: number
  readonly failures: number
  readonly alerts: readonly {
    readonly name: string
    readonly state: string
    readonly value: number | null
    readonly limit: number | null
    /** What was found, as a sentence. */
    readonly text: string
    readonly summary: string
  }[]
  readonly slow: readonly DashboardSpan[]
  /** What the charts get. */
  readonly point: ChartPoint
}

export interface FrameSources {
  readonly registry: Registry
  readonly guard: Guard | undefined
  readonly slowSpans: (() => readonly DashboardSpan[]) | undefined
  readonly history: number
  /** Name of the timing that the charts are about; undefined = all. */
  readonly operation: string | undefined
}

const RESOLUTION = 20
/** ms after which a process has started: a dashboard is made once modules are loaded, then code is compiled and caches fill. */
const START_UP = 5000
/** Rows of the tables that are sent. */
const MOST_TIMINGS = 50

/** Takes frames and keeps the last of their numbers. */
export class FrameRecorder {
  readonly #sources: FrameSources
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION })
  readonly #history: ChartHistory
  readonly #slow: SlowSpans
  readonly #hits = new RecentHits()
  /** When the process has started, on the registry's timeline. */
  readonly #started: number
  #watched = false
  #sequence = 0
  #utilization = performance.eventLoopUtilization()
  #last = { time: 0, calls: 0, failures: 0 }

  constructor(sources: FrameSources) {
    this.#sources = sources
    this.#history = new ChartHistory(sources.history)
    this.#slow = new SlowSpans(sources.slowSpans ?? (() => []))
    this.#started = sources.registry.timeline.now() + START_UP
  }

  get history(): FrameHistory {
    return this.#history.lines
  }

  get operation(): string | undefined {
    return this.#sources.operation
  }

  moment(): Moment {
    return this.#sources.registry.timeline.moment()
  }

  /** Whether there is a viewer: only then the loop's delay is sampled, by a timer that fires fifty times a second. */
  set watched(watched: boolean) {
    if (watched === this.#watched) return
    this.#watched = watched
    if (watched) this.#delay.enable()
    else this.#delay.disable()
    this.#delay.reset()
  }

  close(): void {
    this.#delay.disable()
  }

  /** Takes a frame, stopping after every timing and before what else takes time, so that the caller can let others run. */
  *take(): Generator<void, Frame> {
    const { registry, guard, operation } = this.#sources
    const now = registry.timeline.now()
    const busiest = new Busiest(MOST_TIMINGS, now, operation)
    const families = registry.collect(registry.timings())
    yield
    for (const timed of timedSeries(families)) {
      busiest.add(timed)
      yield
    }
    const timings: TimingReport[] = []
    for (const timed of busiest.timings()) {
      timings.push(timingReport(timed, now))
      yield
    }
    const parts = registry.observed().flatMap(partsOf)
    this.#hits.add(now, parts)
    yield
    const { rss, heapUsed } = process.memoryUsage()
    const utilization = performance.eventLoopUtilization(this.#utilization).utilization
    this.#utilization = performance.eventLoopUtilization()
    const delayP99 = this.#delayP99()
    // What a frame tells began with the one before.
    const started = this.#sequence > 0 && this.#last.time >= this.#started
    const rates = this.#rates(busiest, now)
    const heapLimit = getHeapStatistics().heap_size_limit
    const statuses = guard?.status() ?? []
    const alerts = statuses.map(status => ({
      name: status.rule.name,
      state: status.state,
      value: known(status.value),
      limit: known(status.limit),
      text: alertSentence(status),
      summary: status.rule.summary ?? '',
    }))
    yield
    const time = registry.timeline.date()
    const first = busiest.first && timingReport(busiest.first, now, CHART_WINDOW)
    const settled = (value: number | null | undefined): number | null =>
      started ? (value ?? null) : null
    const point: ChartPoint = {
      time: time / 1000,
      elapsed: now / 1000,
      rss,
      heapUsed,
      utilization: settled(utilization),
      delayP99: settled(delayP99),
      calls: settled(rates.calls),
      failures: settled(rates.failures),
      busiest: first === undefined ? null : operationName(first),
      p50: settled(first?.p50),
      p99: settled(first?.p99),
      hitRatio: this.#hits.ofAll(),
    }
    this.#history.add(point)
    const { pid, version: node } = process
    return {
      sequence: this.#sequence++,
      time,
      elapsed: now,
      process: {
        pid,
        node,
        uptime: process.uptime(),
        rss,
        heapUsed,
        heapLimit,
        utilization,
        delayP99,
      },
      verdict: verdict(
        alerts
          .filter(({ state }) => state === 'tripped')
          .map(({ name, text }) => `${name} (${text})`),
        started ? utilization : 0,
        (started && delayP99) || 0,
        heapUsed / heapLimit,
        rates,
      ),
      parts: parts.map(part => ({
        ...part,
        hitRatio: known(hitRatio(part)),
        recentHitRatio: this.#hits.of(part.name),
      })),
      timings,
      ...rates,
      alerts,
      slow: this.#slow.read(),
      point,
    }
  }

  /** Since the last frame. */
  #delayP99(): number | null {
    if (!this.#watched) return null
    const late = Math.max(0, this.#delay.percentile(99) / 1e6 - RESOLUTION)
    this.#delay.reset()
    return late
  }

  #rates(
    { calls, failures }: { calls: number; failures: number },
    now: number,
  ): { calls: number; failures: number } {
    const total = { time: now, calls, failures }
    const last = this.#last
    this.#last = total
    const seconds = (now - last.time) / 1000
    if (last.time === 0 || seconds <= 0) return { calls: 0, failures: 0 }
    // A series that expired takes its past along: no rate is below nothing.
    return {
      calls: Math.max(0, (total.calls - last.calls) / seconds),
      failures: Math.max(0, (total.failures - last.failures) / seconds),
    }
  }
}

function verdict(
  tripped: readonly string[],
  utilization: number,
  delayP99: number,
  heap: number,
  { calls, failures }: { calls: number; failures: number },
): Frame['verdict'] {
  if (tripped.length > 0) return { level: 'bad', text: `Tripped: ${tripped.join('; ')}` }
  const percent = (share: number): string => `${Math.round(share * 100)} %`
  if (heap > 0.85) {
    return {
      level: 'bad',
      text: `Memory is running out: the heap is at ${percent(heap)} of its limit`,
    }
  }
  if (utilization > 0.9) {
    return {
      level: 'bad',
      text: `The event loop is the bottleneck: busy ${percent(utilization)} of the time`,
    }
  }
  if (delayP99 > 100) {
    return {
      level: 'warning',
      text: `Something blocks the event loop: p99 delay ${Math.round(delayP99)} ms`,
    }
  }
  if (calls >= 1 && failures / calls > 0.05) {
    return { level: 'warning', text: `${percent(failures / calls)} of the calls fail` }
  }
  return { level: 'good', text: 'Healthy' }
}

/** JSON has no NaN. */
function known(value: number): number | null {
  return Number.isFinite(value) ? value : null
}
