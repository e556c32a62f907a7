#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { failOnLostOutput } from '@millrace/kit'
import type { MetricsJson } from './export/json.ts'
import { quantity } from './export/summary.ts'
import { compareSnapshots, type HistogramComparison } from './guard/compare-snapshots.ts'

const USAGE = `millrace-metrics-compare BEFORE.json AFTER.json [options]

Compares the histograms of two JSON exports. Exit code 0: nothing regressed, 1: something did, 2: wrong use, or the
comparison could not be printed.

  --quantile Q     quantile to compare (0.99)
  --tolerance T    tolerated rise as a share (0.1)
  --alpha P        probability of a false alarm per histogram (0.001)
  --minimum N      least observations on both sides (100)
  --metrics REGEX  only metrics whose name matches
  --json           print the comparison as JSON`

function main(): number {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quantile: { type: 'string' },
      tolerance: { type: 'string' },
      alpha: { type: 'string' },
      minimum: { type: 'string' },
      metrics: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const [before, after, ...rest] = positionals
  if (values.help || before === undefined || after === undefined || rest.length > 0) {
    console.log(USAGE)
    return values.help ? 0 : 2
  }
  const snapshot = read(after)
  const comparison = compareSnapshots(read(before), snapshot, {
    ...(values.quantile && { quantile: Number(values.quantile) }),
    ...(values.tolerance && { tolerance: Number(values.tolerance) }),
    ...(values.alpha && { alpha: Number(values.alpha) }),
    ...(values.minimum && { minimum: Number(values.minimum) }),
    ...(values.metrics && { metrics: new RegExp(values.metrics) }),
  })
  if (values.json) console.log(JSON.stringify(comparison, null, 2))
  else {
    const units = new Map(snapshot.metrics.map(({ name, unit }) => [name, unit]))
    for (const one of comparison.comparisons) console.log(line(one, units.get(one.metric)))
  }
  return comparison.ok ? 0 : 1
}

function read(file: string): MetricsJson {
  return JSON.parse(readFileSync(file, 'utf8')) as MetricsJson
}

function line(comparison: HistogramComparison, unit = ''): string {
  const { metric, labels, before, after, change, p, verdict } = comparison
  const shown = Object.entries(labels).map(([name, value]) => `${name}=${value}`)
  const name = shown.length === 0 ? metric : `${metric}{${shown.join(' ')}}`
  const percent = `${change >= 0 ? '+' : ''}${(change * 100).toFixed(1)} %`
  return `${verdict.padEnd(9)} ${name}: ${quantity(before, unit)} -> ${quantity(after, unit)} (${percent}, p = ${p.toPrecision(2)})`
}

failOnLostOutput(2)
try {
  process.exitCode = main()
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 2
}
