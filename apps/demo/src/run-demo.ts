import { analyseSources } from './analyse/analyse-sources.ts'
import { followTree } from './analyse/follow-tree.ts'
import { buildImportGraph } from './analyse/import-graph.ts'
import { readManifests } from './analyse/manifests.ts'
import { PresentTree } from './analyse/present-tree.ts'
import { requireFolder } from './analyse/require-folder.ts'
import { walk } from './analyse/source-tree.ts'
import { DemoError } from './demo-error.ts'
import type { DemoOptions } from './options.ts'
import { EmbeddedRegistry } from './registry/embedded-registry.ts'
import { fetchPackages } from './registry/fetch-packages.ts'
import { InstalledManifests } from './registry/installed-manifests.ts'
import { isPackageName } from './registry/package-url.ts'
import { buildReport, type RunResult } from './report/build-report.ts'
import { counted } from './report/counted.ts'
import { explain } from './report/explain.ts'
import { leftOut } from './report/left-out.ts'
import { printable } from './report/printable.ts'
import { ProgressBar } from './report/progress-bar.ts'
import { renderChange } from './report/render-change.ts'
import { duration, renderReport } from './report/render-report.ts'
import type { Report } from './report/report.ts'
import { StageClock } from './report/stage-clock.ts'
import { ChangeMarks } from './serve/change-marks.ts'
import { type PageContent, PageServer } from './serve/page-server.ts'
import { createServices, type Services } from './wiring/services.ts'
import { openStorage } from './wiring/storage.ts'
import { createTelemetry } from './wiring/telemetry.ts'

/**
 * Analyses, fetches, reports and, unless `once`, serves until `signal` aborts. Whatever happens, what was computed is stored
 * and everything opened is closed before it returns.
 *
 * @throws {DemoError} when the main job could not run
 */
export async function runDemo(options: DemoOptions, signal: AbortSignal): Promise<void> {
  const notices: string[] = []
  const notice = (text: string) => {
    const line = printable(text)
    notices.push(line)
    console.error(line)
  }
  const clock = new StageClock()
  await requireFolder(options.directory)
  if (await runStagesAndServe({ options, clock, notices, notice, signal })) {
    console.log(`Stopped after ${duration(performance.now())}; everything is flushed.`)
  }
}

interface RunInputs {
  readonly options: DemoOptions
  readonly clock: StageClock
  readonly notices: readonly string[]
  readonly notice: (line: string) => void
  readonly signal: AbortSignal
}

/** @returns whether it served, until `signal` aborted */
async function runStagesAndServe({ options, clock, notices, notice, signal }: RunInputs) {
  const storage = await clock.run('open caches', () => openStorage(options, notice))
  const manifests = new InstalledManifests()
  await using registry =
    options.registry === undefined ? new EmbeddedRegistry({ manifests: manifests.read }) : undefined
  const base = options.registry ?? (await registry!.listen())
  // The embedded registry has another port each time and the same answers.
  const identity = options.registry?.href ?? 'embedded:'
  await using services = createServices(
    options.directory,
    { base, identity },
    storage,
    createTelemetry(options, notice),
  )
  await clock.run('load table', () => services.sources.load())

  const result = await runStages({ options, services, clock, manifests, notice, signal })
  if (signal.aborted) {
    const { files } = result.analysis
    console.log(`Interrupted after ${counted(files.size, 'file')}; what was found is cached.`)
    return false
  }
  // Also one that is killed while it serves has kept what the next run may use.
  await clock.run('save table', () => services.sources.save())
  const report = await finish(result, { options, services, clock, notices })
  // The notices were printed when they happened.
  const shown = { ...report, notices: [] }
  console.log(options.json ? JSON.stringify(shown) : renderReport(shown))
  if (options.once) return false
  const { load } = options
  await serve({ result, report, services, base, registry, load }, options.port, notice, signal)
  return true
}

interface StageInputs {
  readonly options: DemoOptions
  readonly services: Services
  readonly clock: StageClock
  readonly manifests: InstalledManifests
  readonly notice: (line: string) => void
  readonly signal: AbortSignal
}

async function runStages(inputs: StageInputs): Promise<RunResult> {
  const { options, services, clock, manifests, notice, signal } = inputs
  const { client } = services
  const { directory } = options
  using bar = new ProgressBar()
  const tree = await clock
    .run('list files', () => walk(directory, signal))
    .catch(error => {
      if (signal.aborted) return { sources: [], manifests: [], unreadable: [] }
      throw new DemoError(`Cannot analyse ${directory}: ${explain(error.code)}`, { cause: error })
    })
  const named = await clock.run('read manifests', () => readManifests(tree.manifests))
  manifests.found = named.values().toArray()
  const analysis = await clock.run('analyse files', () =>
    analyseSources(tree.sources, services.sources, {
      signal,
      progress: (done, total) => bar.update('analysing', done, total),
    }),
  )
  bar.clear()
  const folders = tree.unreadable.map(({ path, code }) => ({ path, reason: explain(code) }))
  const missed = leftOut([...folders, ...analysis.unreadable])
  if (missed !== undefined) notice(missed)
  reportSyntaxErrors(analysis.files, notice)
  const graph = await clock.run('build graph', () => buildImportGraph(analysis.files, named))
  const names = [...graph.packages.keys()].filter(isPackageName)
  const fetched = await clock.run('fetch packages', () =>
    fetchPackages(client, names, {
      signal,
      progress: (done, total) => bar.update('fetching', done, total),
    }),
  )
  bar.clear()
  const { storeFailures } = client.stats()
  if (storeFailures > 0 && !signal.aborted) services.storage.tellPackageFailures(storeFailures)
  if (fetched.failed.length > 0 && !signal.aborted) {
    const origin = options.registry?.origin ?? 'the embedded registry'
    const problem = fetched.unreachable ? 'cannot be reached' : 'did not answer for every package'
    notice(
      `Registry ${origin} ${problem} (${explain(fetched.firstError)}): ${counted(fetched.failed.length, 'package')} without metadata, ${fetched.documents.size} came from the cache or before that`,
    )
  }
  return { directory, analysis, manifests: named, graph, fetched }
}

function reportSyntaxErrors(
  files: RunResult['analysis']['files'],
  notice: (line: string) => void,
): void {
  const broken = [...files].filter(([, facts]) => facts.syntaxError !== undefined)
  const [first] = broken
  if (first === undefined) return
  const [path, { syntaxError }] = first
  const more =
    broken.length > 1 ? `; ${counted(broken.length - 1, 'more file')} with syntax errors` : ''
  notice(`${path}:${syntaxError} (kept what could be parsed${more})`)
}

async function finish(
  result: RunResult,
  {
    options,
    services,
    clock,
    notices,
  }: {
    options: DemoOptions
    services: Services
    clock: StageClock
    notices: readonly string[]
  },
): Promise<Report> {
  const { storage, telemetry } = services
  await telemetry.tracer.flush()
  const lastCold = (await storage.runs.get(options.directory))?.value
  const report = buildReport({
    ...result,
    services,
    stages: clock.stages,
    total: clock.total,
    notices,
    lastCold,
  })
  if (report.temperature === 'cold') {
    const { total, stages, sources } = report
    await storage.runs.set(options.directory, { total, stages, files: sources.files })
  }
  return report
}

async function serve(
  content: Omit<PageContent, 'tree'>,
  port: number,
  notice: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  // What the page's load asks for first is no reason to make it wait.
  await content.registry?.prepare()
  const { analysis, manifests } = content.result
  const tree = new PresentTree({ files: analysis.files, manifests })
  await using server = new PageServer({ ...content, tree })
  const { url, moved } = await server.listen(port)
  if (moved !== undefined) notice(`Port ${port} ${moved}: serving on ${url.port} instead`)
  console.log(
    `\nServing on ${url.origin}: the live page, /report /metrics /packages/NAME (Ctrl-C ends)`,
  )
  if (signal.aborted) return
  const { storage } = content.services
  using _followed = storage.followServer?.(line => {
    notice(line)
    server.mark(line)
  })
  using marks = new ChangeMarks(text => server.mark(text))
  await followTree({ files: analysis.files, manifests }, content.services.sources, {
    signal,
    onChange: change => {
      const line = renderChange(change)
      if (line === undefined) return
      tree.follow(
        { files: change.analysis.files, manifests: change.manifests },
        change.analysis.results,
      )
      console.log(line)
      marks.add(change)
    },
  })
}
