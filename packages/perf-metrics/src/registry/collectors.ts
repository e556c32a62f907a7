import { isError, tell } from '@millrace/kit'
import { type Registration, registration } from './registration.ts'

interface Collector {
  readonly collect: () => void
  readonly prefixes: readonly string[]
  readonly failed: (error: unknown) => void
}

/** Of every name. */
const ANY: readonly string[] = ['']

/**
 * What brings instruments up to date before an export. One that throws is counted, with a process warning the first time that it does, and
 * hides no other.
 */
export class Collectors {
  readonly #collectors = new Set<Collector>()
  readonly #ofMetrics = new Map<string, Registration>()
  #failures = 0

  /** How often a collector threw, or rejected. */
  get failures(): number {
    return this.#failures
  }

  /**
   * @param prefixes beginnings of the names of the metrics that `collect` brings up to date
   * @param of what it is about, as a warning names it
   */
  add(
    collect: () => void,
    prefixes: readonly string[] = ANY,
    of: string | undefined = undefined,
  ): Registration {
    let warned = false
    const failed = (error: unknown): void => {
      this.#failures++
      if (warned) return
      warned = true
      const what =
        of === undefined ? 'A collector of metrics' : `What collects ${JSON.stringify(of)}`
      process.emitWarning(`${what} failed: ${kindOf(error)}`, {
        code: 'MILLRACE_METRICS_COLLECTOR',
      })
    }
    const collector = { collect, prefixes, failed }
    this.#collectors.add(collector)
    return registration(() => this.#collectors.delete(collector))
  }

  /** Adds what brings the one metric `name` up to date, as long as there is that. */
  addOf(name: string, collect: () => void): void {
    this.#ofMetrics.set(name, this.add(collect, undefined, name))
  }

  /** The metric `name` is gone. */
  removeOf(name: string): void {
    this.#ofMetrics.get(name)?.close()
    this.#ofMetrics.delete(name)
  }

  /** @param metrics those to be brought up to date. Default: all */
  run(metrics?: readonly string[]): void {
    for (const { collect, prefixes, failed } of this.#collectors) {
      if (metrics === undefined || feeds(prefixes, metrics)) tell(collect, undefined, failed)
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
