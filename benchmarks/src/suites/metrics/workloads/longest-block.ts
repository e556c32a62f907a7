import assert from 'node:assert/strict'
import type { Prepare } from '../../../define.ts'
import type { MetricsLibrary } from '../contenders/instruments.ts'
import { durations } from './labels.ts'
import { longestTurn } from './longest-turn.ts'

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
        let answer: string | Uint8Array = ''
        const value = await longestTurn(async () => {
          answer = await histogram.serve()
        })
        return {
          value,
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
