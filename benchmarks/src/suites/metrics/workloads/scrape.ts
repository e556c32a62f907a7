import assert from 'node:assert/strict'
import type { Loop, Prepare } from '../../../define.ts'
import type { MetricsLibrary } from '../contenders/instruments.ts'
import { durations } from './labels.ts'

const series = 1000
const samplesPerSeries = 14

/** Scrapes before the first measurement, for both sides: until a busy machine has compiled the code they take ten times as long. */
const WARM_UP = 50

/** The Prometheus text of 1,000 histogram series of eleven bounds, each of which changed since the last scrape. */
export function scrape(library: MetricsLibrary): Prepare<string> {
  return async () => {
    const histogram = await library.histogram()
    const values = durations(4096)
    const handles = Array.from({ length: series }, (_, i) =>
      histogram.bind({ method: 'GET', route: `/api/items/${i}`, status: '200' }),
    )
    let at = 0
    for (const handle of handles) {
      for (let i = 0; i < 100; i++) handle.observe(values[at++ & 4095]!)
    }
    const loop: Loop<string> = {
      operations: series,
      run() {
        for (const handle of handles) handle.observe(values[at++ & 4095]!)
        return histogram.scrape()
      },
    }
    for (let done = 0; done < WARM_UP; done++) {
      await loop.run()
      // Compiled code is put in place between turns.
      await new Promise(resolve => setImmediate(resolve))
    }
    return loop
  }
}

export function checkScrape(text: string): void {
  const lines = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  assert.equal(lines.length, series * samplesPerSeries)
  let count = 0
  let open = 0
  for (const line of lines) {
    const value = Number(line.slice(line.lastIndexOf(' ') + 1))
    if (line.startsWith('request_seconds_count')) count += value
    if (line.includes('le="+Inf"')) open += value
  }
  assert.ok(count > series * 100)
  assert.equal(open, count)
}
