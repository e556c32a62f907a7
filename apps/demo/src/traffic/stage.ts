import type { Scenario } from './scenarios.ts'

/** A scenario as the page shows it. */
export interface ScenarioState extends Omit<Scenario, 'run'> {
  readonly running: boolean
}

/** Plays scenarios, each at most once at a time, and tells of their beginnings and ends. */
export class Stage {
  readonly #scenarios: ReadonlyMap<string, Scenario>
  readonly #running = new Set<string>()
  readonly #tell: (text: string) => void

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
    if (this.#running.has(name)) return true
    this.#running.add(name)
    this.#tell(scenario.title)
    scenario
      .run()
      .catch((error: Error) => `${scenario.title}: ${error.message}`)
      .then(end => {
        this.#running.delete(name)
        this.#tell(end.slice(0, 80))
      })
    return true
  }
}
