import { heed, textOf } from '@millrace/kit'
import { runExporting, runUntraced } from '../context/active-context.ts'
import type { Exporter, ExporterStats } from '../export/exporter.ts'
import type { Resource } from '../export/resource.ts'

const NOTHING_KNOWN: ExporterStats = { exported: 0, dropped: 0, queued: 0, queuedBytes: 0 }

/**
 * An exporter that may be the program's own. It must not throw; where it does, neither what ended a span nor the process fails for it:
 * spans that it did not take are dropped and counted, and a process warning says so once. What it calls is not traced.
 */
export class GuardedExporter {
  readonly exporter: Exporter
  /** Spans that it threw over. */
  lost = 0
  #warned = false

  constructor(exporter: Exporter) {
    this.exporter = exporter
  }

  /** What it throws is the constructor's to throw: nothing was recorded yet. */
  open(resource: Resource): void {
    this.heed('open', this.exporter.open?.(resource))
  }

  send(): void {
    try {
      this.heed(
        'send',
        runExporting(() => this.exporter.send()),
      )
    } catch (error) {
      this.#warn('send', error)
    }
  }

  async flush(): Promise<void> {
    try {
      await runExporting(() => this.exporter.flush())
    } catch (error) {
      this.#warn('flush', error)
    }
  }

  async close(): Promise<void> {
    try {
      await runExporting(() => this.exporter.close())
    } catch (error) {
      this.#warn('close', error)
    }
  }

  closeSync(): void {
    try {
      this.heed(
        'closeSync',
        runUntraced(() => this.exporter.closeSync?.()),
      )
    } catch (error) {
      this.#warn('closeSync', error)
    }
  }

  stats(): ExporterStats {
    try {
      const { exported, dropped, queued, queuedBytes } = this.exporter.stats()
      return { exported, dropped, queued, queuedBytes }
    } catch (error) {
      this.#warn('stats', error)
      return NOTHING_KNOWN
    }
  }

  /** Looks at what a method returned that should be synchronous: what it rejects with is warned of. */
  heed(method: keyof Exporter, returned: unknown): void {
    if (returned !== undefined) heed(returned, error => this.#warn(method, error))
  }

  /** A span was lost in `write`. */
  lose(error: unknown): void {
    this.lost++
    this.#warn('write', error)
  }

  #warn(method: keyof Exporter, error: unknown): void {
    if (this.#warned) return
    this.#warned = true
    process.emitWarning(`The exporter of a tracer threw in ${method}(): ${textOf(error)}`, {
      code: 'MILLRACE_TRACER_EXPORTER',
    })
  }
}
