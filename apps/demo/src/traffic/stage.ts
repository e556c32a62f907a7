import type { Scenario } from './scenarios.ts'

/** A scenario as the page shows it. */
export interface ScenarioState extends Omit<Scenario, 'run'> {
  readonly running: boolean
}

const LONGEST_TEXT = 80

/** Plays scenarios, each at most once at a time, and tells of their beginnings and ends. */
export class Stage implements AsyncDisposable {
  readonly #scenarios: ReadonlyMap<string, Scenario>
  readonly #running = new Map<string, Promise<void>>()
  readonly #tell: (text: string) => void
  readonly #end = new AbortController()

  constructor(scenarios: readonly Scenario[], tell: (text: string) => void) {
    this.#scenarios = new Map(scenarios.map(each => [each.name, each]))
    this.#tell = tell
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
    const end = await run(signal).catch((error: Error) => `${title}: ${error.message}`)
    this.#running.delete(name)
    // There is no page any more to tell it.
    if (!signal.aborted) this.#tell(end.slice(0, LONGEST_TEXT))
  }
}
