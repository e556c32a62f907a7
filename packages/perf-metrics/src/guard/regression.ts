import { binomialTail } from '../statistics/binomial.ts'
import { type Prediction, predictionOf, type Wander } from '../statistics/prediction.ts'
import { sampleOf } from '../statistics/sample.ts'
import {
  countUpTo,
  type Distribution,
  interpolatedQuantile,
  mergeAll,
} from '../store/distribution.ts'
import { DistributionHistory } from './distribution-history.ts'
import { type Evaluator, type Finding, UNKNOWN } from './finding.ts'
import type { RegressionRule } from './rules.ts'
import { type Families, select } from './select.ts'

/** Blocks and batches of a window. */
const BLOCKS = 10
const BATCHES = 5
/** The last batches that are judged, besides all of them: a step is seen before the window is full of it. */
const LATEST = [3, 4, BATCHES]
/** Least batches and windows of a baseline that are compared. */
const LEAST_BATCHES = 8
const LEAST_WINDOWS = 8
/** Where a change of the whole distribution shows, long before a tail has values enough. */
const BODY = 0.75
/** How improbable the rise of the quantile itself must be where the body is what changed beyond chance. */
const NOMINAL = 0.05

/** Share of the blocks in which a rise must show. */
const MOST = 0.75

/** What a baseline says of one quantile. */
interface Level {
  readonly quantile: number
  readonly prediction: Prediction
  /** A bucket's bound next to the quantile, and the share of the baseline beyond it. */
  readonly bound: number
  readonly beyond: number
}

/**
 * Whether a quantile of the last window is higher than in a baseline, by more than a tolerance and by more than chance.
 *
 * Chance is what the baseline itself shows. The logarithm of the quantile in batches of a fifth of the window tells the noise, in pieces
 * as long as the window the drift, each with its autocorrelation and the uncertainty of its own mean (see {@link predictionOf}). As
 * logarithms of a heavy tail are skewed where values are few, the values beyond the baseline's quantile must be too many for the
 * binomial distribution as well. A rise must show in most tenths of a window that it was found in. A change of the whole distribution is proved by its upper quartile, which has more values to show it;
 * the quantile itself must then have risen by what is improbable at 0.05.
 */
export function regression(rule: RegressionRule): Evaluator {
  const { window = 300_000, baseline = 7_200_000, quantile = 0.99, minimum = 100 } = rule
  const { tolerance = 0.05, alpha = 0.0001 } = rule
  const history = new DistributionHistory(window / BLOCKS, baseline + window)
  const quantiles = quantile > BODY ? [quantile, BODY] : [quantile]
  let known = -1
  let count = 0
  let levels: Level[] = []
  return {
    *evaluate(families: Families, now: number): Generator<void, Finding> {
      yield* history.read(select(rule, families), now)
      const from = now - window
      if (history.begun !== known) {
        const { begun } = history
        const batches = yield* history.pieces(from, window / BATCHES)
        const windows = yield* groups(batches, BATCHES)
        const all = mergeAll(windows)
        yield
        const found: Level[] = []
        for (const q of quantiles) {
          found.push(...levelOf(q, all, batches, windows, minimum))
          yield
        }
        // Together, as an evaluation may be broken off at any step before.
        known = begun
        count = all.count
        levels = found
      }
      const [level] = levels
      if (level === undefined) return UNKNOWN
      const limit = Math.exp(level.prediction.mean) * (1 + tolerance)
      let value = NaN
      for (const size of LATEST) {
        const blocks = history.since(now - (size * window) / BATCHES)
        const recent = mergeAll(blocks)
        if (recent.count < minimum) continue
        value = interpolatedQuantile(recent, quantile)
        const changed = levels.filter(one => lasts(one, recent, blocks))
        if (value > limit && chance(recent, size, levels, changed, count) < alpha) {
          return { holds: true, value, limit }
        }
      }
      return Number.isNaN(value) ? UNKNOWN : { holds: false, value, limit }
    },
  }
}

/** Each `size` of the pieces together, from the last ones back; what is left over at the beginning is left out. */
function* groups(pieces: readonly Distribution[], size: number): Generator<void, Distribution[]> {
  const joined: Distribution[] = []
  for (let end = pieces.length; end >= size; end -= size) {
    // Pieces in which nothing was read are holes.
    joined.unshift(mergeAll(pieces.slice(end - size, end).filter(Boolean)))
    yield
  }
  return joined
}

/** None where the baseline is too short. */
function levelOf(
  quantile: number,
  all: Distribution,
  batches: readonly Distribution[],
  windows: readonly Distribution[],
  minimum: number,
): Level[] {
  const logs = (pieces: readonly Distribution[]): number[] =>
    pieces
      .filter(piece => piece.count >= minimum)
      .map(piece => Math.log(interpolatedQuantile(piece, quantile)))
      .filter(Number.isFinite)
  const short = logs(batches)
  const long = logs(windows)
  const prediction = predictionOf(
    short.length >= LEAST_BATCHES ? sampleOf(short) : undefined,
    long.length >= LEAST_WINDOWS ? sampleOf(long) : undefined,
    BATCHES,
    long.length > LEAST_WINDOWS ? wanderOf(long) : undefined,
  )
  if (prediction === undefined) return []
  const bound = interpolatedQuantile(all, quantile)
  const beyond = 1 - countUpTo(all, bound) / all.count
  return [{ quantile, prediction, bound, beyond }]
}

function wanderOf(levels: readonly number[]): Wander {
  const steps = levels.slice(1).map((level, i) => level - levels[i]!)
  return { last: levels.at(-1)!, steps: sampleOf(steps) }
}

/**
 * Whether a rise shows in most of the blocks that it was found in: a few slow seconds now and then come in clusters, which pass, and of
 * which a baseline has seen too few to tell.
 */
function lasts(
  { quantile, prediction }: Level,
  recent: Distribution,
  blocks: readonly Distribution[],
): boolean {
  const risen = (prediction.mean + Math.log(interpolatedQuantile(recent, quantile))) / 2
  const counted = blocks.filter(({ count }) => count > 0)
  const high = counted.filter(one => Math.log(interpolatedQuantile(one, quantile)) > risen)
  return high.length >= counted.length * MOST
}

/**
 * How probable it is that the first of `levels` rises to where `recent` has it, which are the last `size` batches, by the least probable
 * of the levels that have changed for more than moments.
 */
function chance(
  recent: Distribution,
  size: number,
  levels: readonly Level[],
  changed: readonly Level[],
  known: number,
): number {
  // The baseline's own share is uncertain too: as if fewer values were judged.
  const weight = 1 / (1 + recent.count / known)
  const tailOf = ({ quantile, prediction, bound, beyond }: Level): number =>
    Math.max(
      prediction.tail(Math.log(interpolatedQuantile(recent, quantile)), size),
      binomialTail(
        Math.floor((recent.count - countUpTo(recent, bound)) * weight),
        Math.round(recent.count * weight),
        beyond,
      ),
    )
  if (changed.length === 0 || tailOf(levels[0]!) >= NOMINAL) return 1
  return levels.length * Math.min(...changed.map(tailOf))
}
