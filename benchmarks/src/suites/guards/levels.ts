import { gaussian, type Random } from './random.ts'

/** What a gauge reads in a process at work, such as its heap in bytes. */
export interface Level {
  readonly name: string
  start(random: Random): (second: number) => number
}

const BASE = 100e6

/** Teeth of 17 s over those of 10 min: what minor and major collections leave of a heap. */
const collected = (random: Random) => {
  let major = 0
  let noise = 0
  return (second: number) => {
    if (second % 600 === 0) noise = 2e6 * gaussian(random)
    major = (second % 600) * 40_000
    return BASE + noise + major + (second % 17) * 500_000
  }
}

/** Levels that grow by nothing. */
export const LEVELS: readonly Level[] = [
  { name: 'floors of garbage collection', start: collected },
  { name: 'saw-tooth of 50 min', start: () => second => BASE + (second % 3_000) * 20_000 },
  {
    name: 'wandering by 10 %, memory 1 h',
    start(random) {
      const keep = Math.exp(-1 / 3_600)
      let level = gaussian(random)
      return () => {
        level = keep * level + Math.sqrt(1 - keep * keep) * gaussian(random)
        return BASE * (1 + 0.1 * level)
      }
    },
  },
  {
    name: 'diurnal by 30 %',
    start: random => second =>
      BASE * (1 + 0.3 * Math.sin((2 * Math.PI * second) / 86_400) + 0.01 * gaussian(random)),
  },
]

/** Collected as the first of {@link LEVELS}, and a share of its base more every hour. */
export function leaking(perHour: number): Level {
  return {
    name: `leak of ${perHour * 100} %/h`,
    start(random) {
      const level = collected(random)
      return second => level(second) + (BASE * perHour * second) / 3_600
    },
  }
}
