/** The most by which any window's flow exceeds `allowance + perMs * length`. */
export function worstExcess(
  flows: readonly (readonly [time: number, cost: number])[],
  allowance: number,
  perMs: number,
): number {
  let worst = -Infinity
  for (let first = 0; first < flows.length; first++) {
    let sum = 0
    for (let last = first; last < flows.length; last++) {
      sum += flows[last]![1]
      worst = Math.max(worst, sum - allowance - (flows[last]![0] - flows[first]![0]) * perMs)
    }
  }
  return worst
}
