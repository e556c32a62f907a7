import { tell } from '@millrace/kit'
import { type Registration, registration } from './registration.ts'

interface Collector {
  readonly collect: () => void
  readonly prefixes: readonly string[]
}

/** Of every name. */
const ANY: readonly string[] = ['']

/** What brings instruments up to date before an export. One that throws is counted, and hides no other. */
export class Collectors {
  readonly #collectors = new Set<Collector>()
  #failures = 0

  readonly #failed = (): void => {
    this.#failures++
  }

  /** How often a collector threw, or rejected. */
  get failures(): number {
    return this.#failures
  }

  /** @param prefixes beginnings of the names of the metrics that `collect` brings up to date */
  add(collect: () => void, prefixes: readonly string[] = ANY): Registration {
    const collector = { collect, prefixes }
    this.#collectors.add(collector)
    return registration(() => this.#collectors.delete(collector))
  }

  /** @param metrics those to be brought up to date. Default: all */
  run(metrics?: readonly string[]): void {
    for (const { collect, prefixes } of this.#collectors) {
      if (metrics === undefined || feeds(prefixes, metrics)) tell(collect, undefined, this.#failed)
    }
  }
}

function feeds(prefixes: readonly string[], metrics: readonly string[]): boolean {
  return metrics.some(metric => prefixes.some(prefix => metric.startsWith(prefix)))
}
