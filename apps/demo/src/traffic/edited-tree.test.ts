import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createTelemetry } from '../wiring/telemetry.ts'
import { EditedTree } from './edited-tree.ts'

const signal = new AbortController().signal
/** Where other demos, of other tests, have no trees. */
let temporary: string

beforeEach(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'millrace-edited-test-'))
  vi.stubEnv('TMPDIR', temporary)
})

afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(temporary, { recursive: true })
})

test('each edit reads, parses and computes as much as the one before, and its levels are its own', async () => {
  await using telemetry = createTelemetry({ otlp: undefined, telemetry: true }, () => undefined)
  {
    await using tree = new EditedTree(20, telemetry)
    expect(await readdir(temporary)).toHaveLength(1)
    const none = { trusted: 0, reads: 0, parses: 0, verified: 0, computed: 0, cutoffs: 0 }
    expect(tree.levels).toEqual(none)
    for (let edit = 0; edit < 3; edit++) {
      const { results } = await tree.edit(signal)
      expect(results).toMatchObject({ recomputed: 40, cutOff: 20 })
      expect(tree.levels).toMatchObject({ parses: 20, computed: 40, cutoffs: 20 })
      expect(tree.levels.reads).toBeGreaterThanOrEqual(20)
    }
    expect(telemetry.metrics.toPrometheus()).toMatch(/^demo_edited_results_cutoffs_total 60$/m)
  }
  expect(await readdir(temporary)).toEqual([])
})

test('one that is given up leaves nothing that the next one would miss', async () => {
  await using telemetry = createTelemetry({ otlp: undefined, telemetry: false }, () => undefined)
  await using tree = new EditedTree(20, telemetry)
  await expect(tree.edit(AbortSignal.abort(new Error('The demo ends')))).rejects.toThrow('ends')
  expect((await tree.edit(signal)).results).toMatchObject({ recomputed: 40, cutOff: 20 })
})
