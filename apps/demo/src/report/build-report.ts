import type { Analysis } from '../analyse/analyse-sources.ts'
import type { ImportGraph } from '../analyse/import-graph.ts'
import type { Manifest } from '../analyse/manifests.ts'
import type { FetchedPackages } from '../registry/fetch-packages.ts'
import type { RegistryClient } from '../registry/registry-client.ts'
import type { Services } from '../wiring/services.ts'
import { counted } from './counted.ts'
import { count, duration } from './render-report.ts'
import type { PackageCounts, Report, SourceCounts } from './report.ts'
import type { RunSummary } from './run-summary.ts'
import type { Stage } from './stage-clock.ts'
import { waterfall } from './waterfall.ts'

/** What a run produced. */
export interface RunResult {
  readonly directory: string
  readonly analysis: Analysis
  /** Of its packages, by folder. */
  readonly manifests: ReadonlyMap<string, Manifest>
  readonly graph: ImportGraph
  readonly fetched: FetchedPackages
}

export interface ReportInputs extends RunResult {
  readonly services: Services
  readonly stages: readonly Stage[]
  /** From the first stage on, in ms. */
  readonly total: number
  readonly notices: readonly string[]
  /** The last cold run of the same tree. */
  readonly lastCold: RunSummary | undefined
}

export function buildReport(inputs: ReportInputs): Report {
  const { services, analysis } = inputs
  const { limiter, pool, client, storage, telemetry } = services
  const sources = sourceCounts(analysis)
  const packages = packageCounts(inputs)
  const temperature = temperatureOf(sources, client)
  const asked = client.stats()
  const permits = limiter.stats()
  const connections = pool.stats()
  const waits = telemetry.timings.wait.stats()
  const [slowest] = telemetry.slow.traces
  return {
    directory: inputs.directory,
    temperature,
    reasons: reasons(inputs, sources, temperature),
    notices: inputs.notices,
    sources,
    results: analysis.results,
    packages,
    stages: inputs.stages,
    total: inputs.total,
    caches: [
      { name: 'facts of files', ...hitsOf(sources) },
      { name: 'source store', ...pick(storage.sources.stats()) },
      { name: 'packages in memory', hits: asked.memoryHits, misses: asked.memoryMisses },
      { name: 'package store', hits: asked.storeHits, misses: asked.storeMisses },
    ],
    limiter: {
      granted: permits.granted,
      waits: waits.count,
      waited: waits.count === 0 ? 0 : waits.total,
      rate: permits.rate,
    },
    connections: {
      opened: connections.created,
      reused: connections.reused,
      requests: connections.requests,
      retries: connections.retries + connections.resends,
    },
    operations: Object.entries(telemetry.timings)
      .map(([name, timing]) => ({ name, ...timing.stats() }))
      .filter(({ count }) => count > 0)
      .map(({ name, count, p50, p95, p99 }) => ({ name, count, p50, p95, p99 })),
    slowest: slowest === undefined ? [] : waterfall(slowest.spans),
  }
}

const pick = ({ hits, misses }: { hits: number; misses: number }) => ({ hits, misses })

/** A file answered without parsing is a hit. */
const hitsOf = ({ unchanged, touched, copies, parsed }: SourceCounts) => ({
  hits: unchanged + touched + copies,
  misses: parsed,
})

function sourceCounts({
  files,
  unchanged,
  touched,
  copies,
  parsed,
  unreadable,
}: Analysis): SourceCounts {
  let [bytes, lines, syntaxErrors] = [0, 0, 0]
  for (const facts of files.values()) {
    bytes += facts.bytes
    lines += facts.lines
    if (facts.syntaxError !== undefined) syntaxErrors++
  }
  return {
    files: files.size,
    bytes,
    lines,
    unchanged,
    touched,
    copies,
    parsed,
    unreadable: unreadable.length,
    syntaxErrors,
  }
}

function packageCounts({ graph, fetched }: RunResult): PackageCounts {
  let edges = 0
  for (const node of graph.packages.values()) edges += node.imports.size
  const documents = [...fetched.documents.values()]
  return {
    met: documents.length + fetched.failed.length,
    described: documents.filter(document => document !== undefined).length,
    absent: documents.filter(document => document === undefined).length,
    failed: fetched.failed.length,
    edges,
    internalImports: graph.internalImports,
    builtinImports: graph.builtinImports,
  }
}

function temperatureOf(
  { unchanged, touched, copies, parsed }: SourceCounts,
  client: RegistryClient,
): Report['temperature'] {
  const { downloaded, absent, storeHits } = client.stats()
  if (unchanged + touched + storeHits === 0) return 'cold'
  return parsed + copies + touched + downloaded + absent === 0 ? 'warm' : 'mixed'
}

function reasons(
  { services, total, lastCold, fetched }: ReportInputs,
  sources: SourceCounts,
  temperature: Report['temperature'],
): string[] {
  const { storeHits, revalidated, downloaded, absent, staleServed } = services.client.stats()
  const lines = []
  if (sources.files === 0) {
    lines.push('There is no JavaScript or TypeScript source in it.')
  } else if (temperature === 'cold') {
    lines.push(
      `Nothing was cached: every file was read and parsed, every package asked for over HTTP.`,
    )
  } else {
    lines.push(
      sources.unchanged === 0
        ? 'No file is known from a run before by its size, times and inode.'
        : `${count(sources.unchanged)} of ${count(sources.files)} files have the size, times and inode of the last run: their facts came from the store, no byte of them was read.`,
      ...(sources.touched === 0
        ? []
        : [
            `${counted(sources.touched, 'file')} had other times and the bytes of the last run: read and hashed, not parsed (pnpm links files of several checkouts, and an install in one changes their times in all).`,
          ]),
      `${count(storeHits)} of ${count(fetched.documents.size)} packages came from the store without a request; ${revalidated} were confirmed by the registry, ${downloaded + absent} asked for anew.`,
    )
  }
  if (staleServed > 0)
    lines.push(
      `${counted(staleServed, 'package')} from an earlier run, past their time, served as the registry failed.`,
    )
  if (temperature !== 'cold' && lastCold !== undefined) {
    const saved = [...lastCold.stages].sort((a, b) => b.duration - a.duration)[0]
    const times = lastCold.total / total
    const faster = times >= 1.05 ? `${times.toFixed(1)}x faster than` : 'No faster than'
    lines.push(
      `${faster} the last cold run (${duration(lastCold.total)}${saved ? `, of which ${duration(saved.duration)} to ${saved.name}` : ''}).`,
    )
  }
  return lines
}
