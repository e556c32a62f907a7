import { execFileSync, spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { seededRandom } from '@millrace/testkit'
import { describe, expect, it } from 'vitest'
import { compareSnapshots } from '../guard.ts'
import { Registry } from '../index.ts'

describe('the comparison of snapshots', () => {
  const random = seededRandom(11)
  function snapshot(scale: number, n = 5000) {
    const metrics = new Registry()
    const timing = metrics.timing('work_seconds', { labels: ['kind'] })
    for (let i = 0; i < n; i++) {
      timing.record({ kind: 'changed' }, -Math.log(1 - random()) * scale)
      timing.record({ kind: 'steady' }, -Math.log(1 - random()) * 10)
    }
    return JSON.parse(JSON.stringify(metrics))
  }

  it('finds what regressed, improved, stayed, and what is too little to tell', () => {
    const verdicts = (before: number, after: number, n?: number): string[] =>
      compareSnapshots(snapshot(before), snapshot(after, n)).comparisons.map(c => c.verdict)
    expect(verdicts(10, 15)).toEqual(['regressed', 'same'])
    expect(verdicts(15, 10)).toEqual(['improved', 'same'])
    expect(verdicts(10, 10)).toEqual(['same', 'same'])
    expect(verdicts(10, 30, 50)).toEqual(['too few', 'too few'])
    const empty = JSON.parse(JSON.stringify(new Registry()))
    for (const [options, message] of [
      [{ quantil: 0.9 }, 'did you mean `quantile`?'],
      [{ quantile: 1 }, 'Expected `quantile` to be a number from 0.01 to 0.9999'],
      [{ alpha: NaN }, 'Expected `alpha`'],
      [{ metrics: 'a' }, 'Expected `metrics` to be a regular expression'],
    ] as const) {
      expect(() => compareSnapshots(empty, empty, options as never)).toThrow(message)
    }
    const twice = compareSnapshots(snapshot(10), snapshot(10), { metrics: /work/g })
    expect(twice.comparisons).toHaveLength(2)
    const histogram = { name: 'x', type: 'histogram', series: [{ labels: {}, exponential: {} }] }
    for (const metrics of [
      [histogram],
      [{ type: 'histogram' }],
      [null],
      [{ ...histogram, series: [5] }],
    ]) {
      expect(() => compareSnapshots({ metrics } as never, empty)).toThrow(
        expect.objectContaining({ code: 'ERR_MILLRACE_METRICS_SNAPSHOT' }),
      )
    }
    expect(() => compareSnapshots({} as never, {} as never)).toThrow(
      expect.objectContaining({ code: 'ERR_MILLRACE_METRICS_SNAPSHOT' }),
    )
  })

  it('ends a build by its exit code', () => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-metrics-'))
    try {
      const file = (name: string, scale: number): string => {
        const path = join(folder, name)
        writeFileSync(path, JSON.stringify(snapshot(scale)))
        return path
      }
      const [base, same, slow] = [file('a.json', 10), file('b.json', 10), file('c.json', 20)]
      const cli = fileURLToPath(new URL('../compare-cli.ts', import.meta.url))
      const node = ['--conditions=millrace-source', '--disable-warning=ExperimentalWarning', cli]
      execFileSync(process.execPath, [...node, base, same])
      const { status, stdout } = spawnSync(process.execPath, [...node, base, slow])
      expect(status).toBe(1)
      expect(stdout.toString()).toMatch(/^regressed work_seconds\{kind=changed\}: .* ms -> .* ms/)
      expect(spawnSync(process.execPath, [...node, base]).status).toBe(2)
      expect(spawnSync(process.execPath, [...node, base, 'missing.json']).status).toBe(2)
      // What could not be printed was not told to anybody.
      const full = openSync('/dev/full', 'w')
      const lost = spawnSync(process.execPath, [...node, base, same], {
        stdio: ['ignore', full, 'pipe'],
      })
      closeSync(full)
      expect(lost.status).toBe(2)
      expect(lost.stderr.toString()).toMatch(/^Cannot print to the standard output: ENOSPC.*\n$/)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
