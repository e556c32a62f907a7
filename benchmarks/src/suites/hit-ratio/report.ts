import type { Finding } from '../../define.ts'
import { bestReference, type Cell, regretOf } from './cells.ts'
import { ourDefault } from './policies/ours.ts'

/** Hit ratios by trace, capacity and policy, then what each policy gives away over all of them; markdown. */
export function tables(cells: readonly Cell[]): string {
  if (cells.length === 0) return ''
  const own = [...cells[0]!.ours.keys()]
  const others = [...cells[0]!.references.keys()]
  const ratios = [
    row(['trace @entries', ...own.map(name => `**${name}**`), ...others, 'Belady']),
    row(['---', ...[...own, ...others, ''].map(() => '--:')]),
    ...cells.map(cell =>
      row(
        [cell.name].concat(
          [...cell.ours.values(), ...cell.references.values(), cell.belady].map(percent),
        ),
      ),
    ),
  ]
  const regrets = [
    row(['policy', 'mean hit %', 'mean gap', 'worst gap', 'cells > 1 pp below LRU']),
    row(['---', '--:', '--:', '--:', '--:']),
    ...own.map(name => regretRow(`**${name}**`, cells, cell => cell.ours.get(name)!)),
    ...others.map(name => regretRow(name, cells, cell => cell.references.get(name)!)),
    regretRow('Belady', cells, cell => cell.belady),
  ]
  return [
    'Hit ratio in per cent; our policies in bold.',
    ratios.join('\n'),
    'Distance to the best reference policy of each cell in percentage points (pp); negative is better than all of them.',
    regrets.join('\n'),
  ].join('\n\n')
}

function regretRow(name: string, cells: readonly Cell[], ratioIn: (cell: Cell) => number): string {
  const { meanHitRatio, mean, worst, cellsBelowLru } = regretOf(cells, ratioIn)
  return row([name, percent(meanHitRatio), percent(mean), percent(worst), String(cellsBelowLru)])
}

const row = (texts: readonly string[]): string => `| ${texts.join(' | ')} |`
const percent = (value: number): string => value.toFixed(2)

/**
 * The default policy against the best reference of each cell, then over all cells. Compared are misses, as a miss is what costs:
 * halving them from 2 % to 1 % is a ratio of 2.
 */
export function findings(cells: readonly Cell[]): Finding[] {
  if (cells.length === 0) return []
  const byCell = cells.map((cell): Finding => {
    const [peerName, best] = bestReference(cell)
    return misses(cell.name, cell.ours.get(ourDefault)!, best, peerName)
  })
  const own = regretOf(cells, cell => cell.ours.get(ourDefault)!)
  const over = `over ${cells.length} cells`
  const references = [...cells[0]!.references.keys()].map(name => {
    const { meanHitRatio } = regretOf(cells, cell => cell.references.get(name)!)
    return misses(`mean ${over}`, own.meanHitRatio, meanHitRatio, name)
  })
  const best = misses(
    `mean ${over}`,
    own.meanHitRatio,
    own.meanHitRatio + own.mean,
    'best of each cell',
    1,
  )
  return [
    ...byCell,
    ...references,
    best,
    limit(`worst gap to the best ${over}`, own.worst, 3),
    limit(`most below LRU ${over}`, own.belowLru, 1),
  ]
}

/** The default policy over streams that no constant was tuned on, in sums only. */
export function syntheticFindings(cells: readonly Cell[]): Finding[] {
  if (cells.length === 0) return []
  const over = `over ${cells.length} synthetic cells`
  const own = regretOf(cells, cell => cell.ours.get(ourDefault)!)
  const references = [...cells[0]!.references.keys()].map(name => {
    const { meanHitRatio } = regretOf(cells, cell => cell.references.get(name)!)
    return misses(`mean ${over}`, own.meanHitRatio, meanHitRatio, name)
  })
  return [...references, limit(`most below LRU ${over}`, own.belowLru, 1)]
}

function misses(
  name: string,
  oursHits: number,
  peerHits: number,
  peerName: string,
  goal?: number,
): Finding {
  const finding = {
    case: name,
    unit: '% misses',
    better: 'less' as const,
    ours: 100 - oursHits,
    peer: 100 - peerHits,
    peerName,
  }
  return goal === undefined ? finding : { ...finding, goal }
}

function limit(name: string, value: number, bound: number): Finding {
  return {
    case: name,
    unit: 'pp',
    better: 'less',
    ours: value,
    peer: bound,
    peerName: 'limit',
    goal: 1,
  }
}
