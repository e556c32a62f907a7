import { gaussian, type Random } from './random.ts'

/** How long operations take in a service at work. */
export interface Load {
  readonly name: string
  /** Of one run: a function of the time in seconds, called once a second, that returns what draws a duration in that second. */
  start(random: Random): (second: number) => () => number
  /** What the rate is multiplied with in that second. Default: 1 */
  readonly rate?: (second: number) => number
}

const DAY = 86_400

function steady(name: string, draw: (random: Random) => number): Load {
  return { name, start: random => () => () => draw(random) }
}

function exponential(random: Random): number {
  return -Math.log(1 - random())
}

/** A level that wanders around 1 with a memory of `minutes`, by `deviation` in its logarithm. */
function wandering(deviation: number, minutes: number): Load {
  return {
    name: `AR(1) drift by ${deviation * 100} %, memory ${minutes} min`,
    start(random) {
      const keep = Math.exp(-1 / (minutes * 60))
      let level = deviation * gaussian(random)
      return () => {
        level = keep * level + deviation * Math.sqrt(1 - keep * keep) * gaussian(random)
        const scale = Math.exp(level)
        return () => scale * exponential(random)
      }
    },
  }
}

function daily(amplitude: number): (second: number) => number {
  return second => 1 + amplitude * Math.sin((2 * Math.PI * second) / DAY)
}

/** Loads at which nothing is wrong. */
export const LOADS: readonly Load[] = [
  steady('exponential', exponential),
  steady('lognormal, sigma 1', random => Math.exp(gaussian(random))),
  steady('Pareto, tail index 1.1', random => (1 - random()) ** (-1 / 1.1)),
  wandering(0.03, 10),
  wandering(0.1, 10),
  wandering(0.1, 60),
  {
    name: 'diurnal, durations by 30 %, rate by 60 %',
    rate: daily(0.6),
    start: random => second => {
      const scale = daily(0.3)(second)
      return () => scale * exponential(random)
    },
  },
  {
    name: 'ten slow seconds now and then',
    start(random) {
      let slow = 0
      return () => {
        if (slow > 0) slow--
        else if (random() < 1 / 600) slow = 10
        const scale = slow > 0 ? 1.5 : 1
        return () => scale * exponential(random)
      }
    },
  },
]

/** As `load`, with all durations `factor` times as long from second `from` on: a deploy. */
export function stepped(load: Load, factor: number, from: number): Load {
  return {
    ...load,
    start(random) {
      const draws = load.start(random)
      return second => {
        const draw = draws(second)
        return second < from ? draw : () => factor * draw()
      }
    },
  }
}
