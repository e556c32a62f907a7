import { CounterSeries, ExemplarCounterSeries } from '../instrument/counter.ts'
import type { ExemplarSource } from '../instrument/exemplars.ts'
import type { SeriesFactory } from '../instrument/family.ts'
import { GAUGE_CELLS, GaugeSeries } from '../instrument/gauge.ts'
import {
  HistogramSeries,
  type HistogramShape,
  histogramCells,
} from '../instrument/histogram-series.ts'
import type { Series } from '../instrument/series.ts'
import { UpDownCounterSeries } from '../instrument/up-down-counter.ts'
import type { CellStore, Cells } from '../store/cells.ts'
import type { Timeline } from '../time/timeline.ts'

/** What series are made of. */
export interface SeriesContext {
  readonly store: CellStore
  /** ms since 1970, as of the last clock tick. */
  readonly coarseTime: Float64Array
  /** Where examples come from, if any are wanted. */
  readonly exemplars: ExemplarSource | undefined
  readonly timeline: Timeline
}

function factory<S extends Series>(
  context: SeriesContext,
  size: number,
  make: (block: Cells, labelValues: readonly string[]) => S,
  rest: (series: S) => void = () => {},
): SeriesFactory<S> {
  return {
    create: (labelValues, description) =>
      make(context.store.allocate(size, description, labelValues), labelValues),
    announce: (description, series) => {
      context.store.announce?.(description, series.labelValues, series.block)
    },
    destroy: series => {
      rest(series)
      context.store.free(series.block)
    },
    rest,
    reclaims: context.store.reclaims,
    reclaim: block => context.store.free(block),
    timeline: context.timeline,
  }
}

export function counterFactory(context: SeriesContext): SeriesFactory<CounterSeries> {
  const { exemplars } = context
  return factory(context, 1, (block, values) =>
    exemplars === undefined
      ? new CounterSeries(block, values, context.timeline)
      : new ExemplarCounterSeries(block, values, context.timeline, exemplars),
  )
}

export function upDownCounterFactory(context: SeriesContext): SeriesFactory<UpDownCounterSeries> {
  return factory(
    context,
    1,
    (block, values) => new UpDownCounterSeries(block, values, context.timeline),
  )
}

export function gaugeFactory(context: SeriesContext): SeriesFactory<GaugeSeries> {
  return factory(
    context,
    GAUGE_CELLS,
    (block, values) => new GaugeSeries(block, values, context.timeline, context.coarseTime),
  )
}

export function histogramFactory(
  context: SeriesContext,
  shape: HistogramShape,
): SeriesFactory<HistogramSeries> {
  return factory(
    context,
    histogramCells(shape.classic.bounds.length),
    (block, values) => new HistogramSeries(block, values, context.timeline, shape),
    series => series.release(),
  )
}
