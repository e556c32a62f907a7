import type { Finding } from '../../define.ts'
import { bestReference, type Cell, mean, type Regret, regretOf } from './cells.ts'
import { ourDefault } from './policies/ours.ts'

/** Hit ratios by trace, capacity and policy, then what each policy gives away over all of them; markdown. */
export function tables(cells: readonly Cell[], besides: readonly Cell[] = []): string {
  if (cells.length === 0) return ''
  const own = [...cells[0]!.ours.keys()]
  const others = [...cells[0]!.references.keys()]
  const ratios = [
    row(['trace @entries', ...own.map(name => `**${name}**`), ...others, 'Belady']),
    row(['---', ...[...own, ...others, ''].map(() => '--:')]),
    ...[...cells, ...besides].map(cell =>
      row([
        cell.name,
        ...[...cell.ours].map(([name, ratio]) =>
          name === ourDefault ? withSpread(cell) : percent(ratio),
        ),
        ...[...cell.references.values(), cell.belady].map(percent),
      ]),
    ),
  ]
  return [
    `Hit ratio in per cent; our policies in bold, the default one as the mean of ${cells[0]!.seeds.length} hash seeds and their spread.`,
    ratios.join('\n'),
    'Distance to the best reference policy of each cell in percentage points (pp); negative is better than all of them.',
    regretTable(cells),
    spreadLine(cells),
    ...besidesLine(cells, besides),
  ].join('\n\n')
}

/** The same in fewer columns, for the README of the package; markdown. */
export function shortTable(cells: readonly Cell[], besides: readonly Cell[] = []): string {
  if (cells.length === 0) return ''
  const rows = [...cells, ...besides].map(cell => {
    const [name, ratio] = bestReference(cell)
    const lru = cell.references.get('LRU')!
    const best = `${percent(ratio)} ${name}`
    return row([cell.name, withSpread(cell), percent(lru), best, percent(cell.belady)])
  })
  return [
    [
      row([
        'entries',
        `default, ${cells[0]!.seeds.length} seeds`,
        'LRU',
        'best of seven',
        'Belady',
      ]),
      row(['---', '--:', '--:', '--:', '--:']),
      ...rows,
    ].join('\n'),
    regretTable(cells),
    spreadLine(cells),
    ...besidesLine(cells, besides),
  ].join('\n\n')
}

function regretTable(cells: readonly Cell[]): string {
  const [{ ours, references }] = cells as [Cell]
  return [
    row([
      'policy',
      'mean hit %',
      'mean gap',
      'worst gap',
      'most below LRU',
      'cells > 1 pp below LRU',
    ]),
    row(['---', '--:', '--:', '--:', '--:', '--:']),
    ...[...ours.keys()].map(name => regretRow(`**${name}**`, cells, cell => cell.ours.get(name)!)),
    ...[...references.keys()].map(name =>
      regretRow(name, cells, cell => cell.references.get(name)!),
    ),
    regretRow('Belady', cells, cell => cell.belady),
  ].join('\n')
}

function regretRow(name: string, cells: readonly Cell[], ratioIn: (cell: Cell) => number): string {
  const regret = regretOf(cells, ratioIn)
  const figures = [regret.meanHitRatio, regret.mean, regret.worst, regret.belowLru]
  return row([name, ...figures.map(percent), String(regret.cellsBelowLru)])
}

/** What the seeds give each for itself, as the means hide the worst of them. */
function spreadLine(cells: readonly Cell[]): string {
  const bySeed = cells[0]!.seeds.map((_, seed) => regretOf(cells, cell => cell.seeds[seed]!))
  const range = (of: (regret: Regret) => number) => {
    const values = bySeed.map(of)
    return `${percent(Math.min(...values))} to ${percent(Math.max(...values))}`
  }
  return `Over the ${cells.length} cells the seeds of the default have, each for itself, a mean gap of ${range(({ mean: gap }) => gap)} pp, a worst one of ${range(({ worst }) => worst)}, and are at most ${range(({ belowLru }) => belowLru)} below LRU.`
}

/** Of cells that the sums leave out: what they are put for, and what the mean is with them in its place. */
function besidesLine(cells: readonly Cell[], besides: readonly Cell[]): string[] {
  if (besides.length === 0) return []
  const own = (cell: Cell) => cell.ours.get(ourDefault)!
  const twins = besides.map(cell => cell.name.replace(', from its middle', ''))
  const rest = cells.filter(({ name }) => !twins.includes(name))
  const gap = (some: readonly Cell[]) => percent(regretOf(some, own).mean)
  return [
    `The rows _from its middle_ are not in these sums: there the cache comes to the stream when it has long been running, and what leads in it by having been empty at its beginning hits nothing. Mean gap of the default ${gap(cells)} pp, ${gap([...rest, ...besides])} with these rows instead of those from the beginning, ${gap(rest)} without either.`,
  ]
}

const row = (texts: readonly string[]): string => `| ${texts.join(' | ')} |`
const percent = (value: number): string => value.toFixed(2)

function withSpread({ seeds }: Cell): string {
  const [least, most] = [Math.min(...seeds), Math.max(...seeds)].map(percent)
  const own = percent(mean(seeds))
  return least === most ? own : `${own} (${least} to ${most})`
}

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
  return [
    ...byCell,
    ...meansOver(cells, over, own),
    limit(`mean gap to the best ${over}`, own.mean, 0.1),
    limit(`worst gap to the best ${over}`, own.worst, 3),
    limit(`most below LRU ${over}`, own.belowLru, 1),
  ]
}

/** The default policy over streams that no constant was tuned on, in sums only. */
export function syntheticFindings(cells: readonly Cell[]): Finding[] {
  if (cells.length === 0) return []
  const over = `over ${cells.length} synthetic cells`
  const own = regretOf(cells, cell => cell.ours.get(ourDefault)!)
  return [
    ...meansOver(cells, over, own),
    limit(`mean gap to the best ${over}`, own.mean, 1.5),
    limit(`more than 1 pp below LRU ${over}`, own.cellsBelowLru, 2, 'cells'),
  ]
}

function meansOver(cells: readonly Cell[], over: string, own: Regret): Finding[] {
  return [...cells[0]!.references.keys()].map(name => {
    const { meanHitRatio } = regretOf(cells, cell => cell.references.get(name)!)
    return misses(`mean ${over}`, own.meanHitRatio, meanHitRatio, name)
  })
}

function misses(name: string, oursHits: number, peerHits: number, peerName: string): Finding {
  return {
    case: name,
    unit: '% misses',
    better: 'less',
    ours: 100 - oursHits,
    peer: 100 - peerHits,
    peerName,
  }
}

function limit(name: string, value: number, bound: number, unit = 'pp'): Finding {
  return { case: name, unit, better: 'less', ours: value, peer: bound, peerName: 'limit', goal: 1 }
}
