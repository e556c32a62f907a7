import type { LabelSet } from '../contenders/instruments.ts'

export const methods = ['GET', 'POST', 'PUT', 'DELETE'] as const
export const statuses = ['200', '301', '404', '500'] as const

/** One label set, as a handler that serves one route has it. */
export const constant: LabelSet = { method: 'GET', route: '/api/items', status: '200' }

/** Durations in seconds by a log-normal law around 20 ms, the same in every process. */
export function durations(length: number): Float64Array {
  let state = 42
  const random = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return (state + 0.5) / 2 ** 32
  }
  return Float64Array.from({ length }, () =>
    Math.exp(Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random()) - 4),
  )
}
