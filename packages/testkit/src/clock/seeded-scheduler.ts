import { setImmediate as nextTurn } from 'node:timers/promises'
import { seededRandom } from '../random/seeded-random.ts'

/** Picks one of `count` waiting gates: an integer from 0 to `count - 1`. */
export type Choose = (count: number) => number

interface Gate {
  readonly label: string
  readonly open: () => void
}

/**
 * Holds back promise completions and releases them one at a time, in an order drawn from a seed: a race test runs the
 * same interleaving every time, and another one with another seed.
 *
 * Code under test awaits {@link gate} (or is given a function made by {@link defer} or {@link wrap}) where real code
 * would await I/O; {@link settle} then releases gate after gate, each time letting everything that follows from it run
 * up to the next gate. With fast-check, take the seed from `fc.integer()`, so that a failure shrinks and replays.
 */
export class SeededScheduler {
  readonly #choose: Choose
  readonly #waiting: Gate[] = []
  readonly #trace: string[] = []

  /** @param order a seed, or a function that makes the choices itself */
  constructor(order: number | Choose = 0) {
    this.#choose = typeof order === 'number' ? seededChoice(order) : order
  }

  /** Labels of the gates that are closed now, oldest first. */
  get waiting(): string[] {
    return this.#waiting.map(gate => gate.label)
  }

  /** Labels of the gates released so far, in order: print it when a test fails. */
  get trace(): readonly string[] {
    return this.#trace
  }

  /** A promise that resolves when the scheduler releases it. */
  gate(label = 'gate'): Promise<void> {
    return new Promise(open => this.#waiting.push({ label, open }))
  }

  /** Calls `produce` when released and settles as it does: one asynchronous completion. */
  async defer<T>(produce: () => T | PromiseLike<T>, label = 'defer'): Promise<T> {
    await this.gate(label)
    return produce()
  }

  /**
   * The same function with a gate before it takes effect and another before its result is seen, as a request and its
   * reply travel separately.
   */
  wrap<A extends unknown[], R>(
    fn: (...args: A) => R | PromiseLike<R>,
    label: string = fn.name || 'call',
  ): (...args: A) => Promise<R> {
    return async (...args) => {
      await this.gate(`${label}:start`)
      try {
        return await fn(...args)
      } finally {
        await this.gate(`${label}:end`)
      }
    }
  }

  /** Releases one gate and lets what follows run; false if none was waiting. */
  async step(): Promise<boolean> {
    await nextTurn()
    if (this.#waiting.length === 0) return false
    const index = this.#choose(this.#waiting.length)
    const [gate] = this.#waiting.splice(index, 1)
    if (gate === undefined) throw new RangeError(`No gate ${index} of ${this.#waiting.length}`)
    this.#trace.push(gate.label)
    gate.open()
    await nextTurn()
    return true
  }

  /** Releases gates until none waits. Does not wait for real I/O. */
  async settle(): Promise<void> {
    while (await this.step()) {}
  }
}

/**
 * Runs `body` once for every order in which its gates can be released, depth first, and returns how many there were.
 * The body must make the same choices available whenever the same gates were released before; it must not call
 * `settle` on a set of gates that never empties.
 *
 * @param limit stops with an error beyond this many runs, as the number grows with the factorial of concurrent gates;
 *   default 10,000
 */
export async function everyInterleaving(
  body: (scheduler: SeededScheduler) => Promise<void>,
  { limit = 10_000 }: { limit?: number } = {},
): Promise<number> {
  let prefix: number[] = []
  for (let count = 1; ; count++) {
    if (count > limit) throw new RangeError(`More than ${limit} interleavings`)
    const taken: number[] = []
    const widths: number[] = []
    const scheduler = new SeededScheduler(width => {
      const choice = prefix[taken.length] ?? 0
      taken.push(choice)
      widths.push(width)
      return choice
    })
    try {
      await body(scheduler)
    } catch (error) {
      throw new Error(`Fails when released in this order: ${scheduler.trace.join(', ')}`, {
        cause: error,
      })
    }
    let depth = taken.length - 1
    while (depth >= 0 && taken[depth]! + 1 >= widths[depth]!) depth--
    if (depth < 0) return count
    prefix = [...taken.slice(0, depth), taken[depth]! + 1]
  }
}

function seededChoice(seed: number): Choose {
  const random = seededRandom(seed)
  return count => Math.floor(random() * count)
}
