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

/** What series are made of. */
export interface SeriesContext {
  readonly store: CellStore
  /** Milliseconds since the epoch, as of the last clock tick. */
  readonly coarseTime: Float64Array
  /** Where examples come from, if any are wanted. */
  readonly exemplars: ExemplarSource | undefined
  now(): number
}

function factory<S extends Series>(
  context: SeriesContext,
  size: number,
  make: (block: Cells, labelValues: readonly string[]) => S,
  rest: (series: S) => void = () => {},
): SeriesFactory<S> {
  return {
    create: (labelValues, metric) => {
      const identity = metric === undefined ? undefined : JSON.stringify([metric, ...labelValues])
      return make(context.store.allocate(size, identity), labelValues)
    },
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
    now: () => context.now(),
  }
}

export function counterFactory(context: SeriesContext): SeriesFactory<CounterSeries> {
  const { exemplars } = context
  return factory(context, 1, (block, values) =>
    exemplars === undefined
      ? new CounterSeries(block, values, context.now())
      : new ExemplarCounterSeries(block, values, context.now(), exemplars),
  )
}

export function upDownCounterFactory(context: SeriesContext): SeriesFactory<UpDownCounterSeries> {
  return factory(
    context,
    1,
    (block, values) => new UpDownCounterSeries(block, values, context.now()),
  )
}

export function gaugeFactory(context: SeriesContext): SeriesFactory<GaugeSeries> {
  return factory(
    context,
    GAUGE_CELLS,
    (block, values) => new GaugeSeries(block, values, context.now(), context.coarseTime),
  )
}

export function histogramFactory(
  context: SeriesContext,
  shape: HistogramShape,
): SeriesFactory<HistogramSeries> {
  return factory(
    context,
    histogramCells(shape.classic.bounds.length),
    (block, values) => new HistogramSeries(block, values, context.now(), shape),
    series => series.release(),
  )
}
