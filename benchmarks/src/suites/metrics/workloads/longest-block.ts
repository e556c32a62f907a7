import assert from 'node:assert/strict'
import type { Prepare } from '../../../define.ts'
import type { MetricsLibrary } from '../contenders/instruments.ts'
import { durations } from './labels.ts'

const series = 20_000
const samplesPerSeries = 14

/** The longest turn of the event loop in milliseconds while a large registry is scraped for the first time. */
export function longestBlock(library: MetricsLibrary): Prepare<string> {
  return async () => {
    const histogram = await library.histogram()
    const values = durations(4096)
    for (let i = 0; i < series; i++) {
      const handle = histogram.bind({ method: 'GET', route: `/api/items/${i}`, status: '200' })
      for (let k = 0; k < 5; k++) handle.observe(values[(i * 5 + k) & 4095]!)
    }
    return {
      async measure() {
        // What was made so far is no concern of the scrape.
        globalThis.gc!()
        globalThis.gc!()
        let longest = 0
        let last = performance.now()
        let watching = true
        const watch = (): void => {
          const now = performance.now()
          longest = Math.max(longest, now - last)
          last = now
          if (watching) setImmediate(watch)
        }
        setImmediate(watch)
        const answer = await histogram.serve()
        // The turn in which the scrape ended counts too.
        await new Promise(resolve => setImmediate(resolve))
        watching = false
        return {
          value: longest,
          result: typeof answer === 'string' ? answer : Buffer.from(answer).toString(),
        }
      },
    }
  }
}

export function checkFirstScrape(text: string): void {
  const lines = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  assert.equal(lines.length, series * samplesPerSeries)
}
