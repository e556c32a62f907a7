import { isError, tell } from '@millrace/kit'
import { type Registration, registration } from './registration.ts'

interface Collector {
  readonly collect: () => void
  readonly prefixes: readonly string[]
}

/** Of every name. */
const ANY: readonly string[] = ['']

/** What brings instruments up to date before an export. One that throws is counted, with a process warning the first time, and hides no other. */
export class Collectors {
  readonly #collectors = new Set<Collector>()
  #failures = 0

  readonly #failed = (error: unknown): void => {
    if (this.#failures++ > 0) return
    process.emitWarning(`A collector of metrics failed: ${kindOf(error)}`, {
      code: 'MILLRACE_METRICS_COLLECTOR',
    })
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

/** What failed, without the message of another program's error, which may hold anything. */
function kindOf(error: unknown): string {
  try {
    if (isError(error)) return `it threw ${error.name}`
  } catch {
    // A getter or a proxy, of which only the type is known.
  }
  return `it threw a value of type ${typeof error}`
}
