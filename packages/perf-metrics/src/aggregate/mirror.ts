import type { Family } from '../instrument/family.ts'
import type { FamilyDescription } from '../metric/family-description.ts'
import type { Registry } from '../registry/registry.ts'

/**
 * The metrics of other threads or processes in a registry. They may run other code or other options: a metric that the registry
 * defines otherwise is left out, and costs no other one anything.
 */
export class Mirror {
  readonly #registry: Registry
  readonly #conflicts: Set<string>

  /** @param conflicts names of metrics of which something was left out, for stats */
  constructor(registry: Registry, conflicts: Set<string>) {
    this.#registry = registry
    this.#conflicts = conflicts
  }

  /** The metric of `description` here, or `undefined` where there can be none. */
  family(description: FamilyDescription): Family | undefined {
    try {
      return this.#registry.mirror(description)
    } catch (error) {
      this.#leaveOut(description.name, (error as Error).message)
      return undefined
    }
  }

  /** Adds something of the metric `name`. What cannot be added is left out, and with it neither another series nor the caller's work. */
  add(name: string, add: () => void): void {
    try {
      add()
    } catch (error) {
      this.#leaveOut(name, `${name}: ${(error as Error).message}`)
    }
  }

  #leaveOut(name: string, reason: string): void {
    if (this.#conflicts.has(name)) return
    this.#conflicts.add(name)
    process.emitWarning(`A metric of another thread or process is left out. ${reason}`, {
      code: 'MILLRACE_METRICS_CONFLICT',
    })
  }
}
