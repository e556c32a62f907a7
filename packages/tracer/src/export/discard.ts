import type { Exporter } from './exporter.ts'

/** The exporter of a tracer without one. */
export const discard: Exporter = {
  write() {},
  send() {},
  async flush() {},
  async close() {},
  stats: () => ({ exported: 0, dropped: 0, queued: 0, queuedBytes: 0 }),
}
