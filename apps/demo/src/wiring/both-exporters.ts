import type { Exporter, ExporterStats, Resource, SpanRecord } from '@millrace/tracer'

/** Gives every span to two exporters: one that reads it in this process, and one that sends it away. */
export class BothExporters implements Exporter {
  readonly #local: Exporter
  readonly #remote: Exporter

  constructor(local: Exporter, remote: Exporter) {
    this.#local = local
    this.#remote = remote
  }

  open(resource: Resource): void {
    this.#local.open?.(resource)
    this.#remote.open?.(resource)
  }

  write(span: SpanRecord): void {
    this.#local.write(span)
    this.#remote.write(span)
  }

  send(): void {
    this.#local.send()
    this.#remote.send()
  }

  async flush(): Promise<void> {
    await Promise.all([this.#local.flush(), this.#remote.flush()])
  }

  async close(): Promise<void> {
    await Promise.all([this.#local.close(), this.#remote.close()])
  }

  closeSync(): void {
    this.#local.closeSync?.()
    this.#remote.closeSync?.()
  }

  /** Of the one that sends, which is the one that can lose. */
  stats(): ExporterStats {
    return this.#remote.stats()
  }
}
