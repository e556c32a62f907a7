import type { RegistryClient } from '../registry/registry-client.ts'
import type { Telemetry } from '../wiring/telemetry.ts'

/** Look-ups per second: enough for every chart to move, little enough not to be seen among processes. */
const RATE = 5

export interface BackgroundLoadOptions {
  readonly client: Pick<RegistryClient, 'package'>
  readonly telemetry: Pick<Telemetry, 'metrics'>
  /** Names that are asked for, the first ones most often. */
  readonly packages: readonly string[]
}

/**
 * Goes on asking for packages while the live page is served, as a warm run leaves nothing to be seen. Its look-ups are counted in
 * `demo_background_lookups_total`, and the page says that they are the demo's own.
 */
export class BackgroundLoad implements Disposable {
  readonly #options: BackgroundLoadOptions
  readonly #timer: NodeJS.Timeout

  constructor(options: BackgroundLoadOptions) {
    this.#options = options
    const lookups = options.telemetry.metrics.counter('demo_background_lookups_total', {
      help: "Look-ups of the demo's own background load",
    })
    this.#timer = setInterval(() => {
      lookups.inc()
      void this.#lookUp()
    }, 1_000 / RATE)
    this.#timer.unref()
  }

  close(): void {
    clearInterval(this.#timer)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  async #lookUp(): Promise<void> {
    const { client, packages } = this.#options
    // Squaring the random number makes the first names hot, as a service's keys are.
    const name = packages[Math.floor(Math.random() ** 2 * packages.length)]
    if (name === undefined) return
    try {
      await client.package(name)
    } catch {
      // Counted by client and pool; a registry that is down must not end the page.
    }
  }
}
