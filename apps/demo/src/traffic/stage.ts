import { setTimeout } from 'node:timers/promises'
import type { Scenario } from './scenarios.ts'

/** A scenario as the page shows it. */
export interface ScenarioState extends Omit<Scenario, 'run'> {
  readonly running: boolean
}

const LONGEST_TEXT = 80

/** ms that a scenario is shown at least: one that is over at once, and asked for by every click of many, would fill all charts with marks. */
const SHORTEST = 1_000

/** Plays scenarios, each at most once at a time, and tells of their beginnings and ends. */
export class Stage implements AsyncDisposable {
  readonly #scenarios: ReadonlyMap<string, Scenario>
  readonly #running = new Map<string, Promise<void>>()
  readonly #tell: (text: string) => void
  readonly #shortest: number
  readonly #end = new AbortController()

  constructor(
    scenarios: readonly Scenario[],
    tell: (text: string) => void,
    shortest: number = SHORTEST,
  ) {
    this.#scenarios = new Map(scenarios.map(each => [each.name, each]))
    this.#tell = tell
    this.#shortest = shortest
  }

  get states(): ScenarioState[] {
    return [...this.#scenarios.values()].map(({ name, title, effect, unavailable }) => ({
      name,
      title,
      effect,
      unavailable,
      running: this.#running.has(name),
    }))
  }

  /**
   * Begins a scenario; one that runs already goes on.
   *
   * @returns whether there is one of that name that can be played
   */
  play(name: string): boolean {
    const scenario = this.#scenarios.get(name)
    if (scenario === undefined || scenario.unavailable !== undefined) return false
    if (this.#running.has(name) || this.#end.signal.aborted) return true
    this.#tell(scenario.title)
    this.#running.set(name, this.#run(scenario))
    return true
  }

  /** Ends what is played; resolves once all of it has. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort(new Error('The demo ends'))
    await Promise.all(this.#running.values())
  }

  async #run({ name, title, run }: Scenario): Promise<void> {
    const { signal } = this.#end
    const shown = setTimeout(this.#shortest, undefined, { signal, ref: false }).catch(() => {
      // The demo ends, and what it shows with it.
    })
    const tell = (text: string) => this.#tell(text.slice(0, LONGEST_TEXT))
    const end = await run(signal, tell).catch((error: Error) => `${title}: ${error.message}`)
    // There is no page any more to tell it.
    if (!signal.aborted) tell(end)
    await shown
    this.#running.delete(name)
  }
}
