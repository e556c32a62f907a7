import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Invalidation } from '@millrace/cache-core/tiered'
import { Dashboard } from '@millrace/perf-metrics/dashboard'
import { grafanaDashboard } from '@millrace/perf-metrics/grafana'
import { Guard } from '@millrace/perf-metrics/guard'
import type { PresentTree } from '../analyse/present-tree.ts'
import type { EmbeddedRegistry } from '../registry/embedded-registry.ts'
import { scopeOf } from '../registry/registry-client.ts'
import type { RunResult } from '../report/build-report.ts'
import { printable } from '../report/printable.ts'
import { renderReport } from '../report/render-report.ts'
import type { Report } from '../report/report.ts'
import { EditedTree } from '../traffic/edited-tree.ts'
import { LiveTraffic, LOOK_UPS } from '../traffic/live-traffic.ts'
import { EDITED, scenarios } from '../traffic/scenarios.ts'
import { Stage } from '../traffic/stage.ts'
import type { Services } from '../wiring/services.ts'
import { rules } from './alert-rules.ts'
import { livePage, pageFiles } from './live-page.ts'
import { liveState } from './live-state.ts'
import { neighbourhood, packagePage, search } from './package-pages.ts'

export interface PageContent {
  readonly result: RunResult
  /** Of the run. */
  readonly report: Report
  /** What it analysed, as that is now. */
  readonly tree: PresentTree
  readonly services: Services
  /** Where the registry is. */
  readonly base: URL
  /** The embedded one, if it is that. */
  readonly registry: EmbeddedRegistry | undefined
  /** Look-ups per second of the demo's own, also while nobody looks; undefined = a few while somebody does. */
  readonly load: number | undefined
}

/** A page in another site's frame or behind a rebound name may not read what runs here. */
const LOOPBACK_HOST = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/i

/** ms that a slow trace is shown. */
const TRACES_LIFETIME = 300_000

/** Characters of a mark. */
const LONGEST_MARK = 80

/** What is under way when the demo ends has so many ms. */
const PATIENCE = 500

/** Why a port cannot be had, by the code of the error. */
const UNUSABLE: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is taken',
  EACCES: 'is for privileged users',
}

interface Page {
  readonly type: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * Serves a run on loopback: the live page at `/`, which is perf-metrics' dashboard with the demo's own parts, `/report`, `/metrics`,
 * `/packages/:name`, and what the page asks for.
 */
export class PageServer implements AsyncDisposable {
  readonly #content: PageContent
  readonly #server: Server
  readonly #guard: Guard | undefined
  readonly #dashboard: Dashboard
  readonly #traffic: LiveTraffic
  readonly #edited: EditedTree
  readonly #stage: Stage

  constructor(content: PageContent) {
    this.#content = content
    const { services, result, registry, base, load } = content
    const { metrics, slow } = services.telemetry
    // The slowest traces of the run stand in its report.
    slow.restart(TRACES_LIFETIME)
    // Where nothing is measured there is nothing to judge.
    this.#guard = metrics.enabled ? new Guard(metrics, { rules, interval: 2_000 }) : undefined
    this.#dashboard = new Dashboard({
      registry: metrics,
      guard: this.#guard,
      operation: LOOK_UPS,
    })
    // Those that the registry knows: names that nobody published would be failures of nobody's.
    const packages = [...result.graph.packages.values()]
      .filter(({ name }) => result.fetched.documents.get(name) !== undefined)
      .sort((a, b) => b.files - a.files)
      .map(({ name }) => name)
    // Of the largest one with an owner; names without one are tagged by their first letter.
    const scope = scopeOf(packages.find(name => name.startsWith('@')) ?? packages[0] ?? 'a')
    this.#edited = new EditedTree(EDITED, services.telemetry)
    this.#traffic = new LiveTraffic({
      base,
      pool: services.pool,
      telemetry: services.telemetry,
      packages,
      beside: packages.filter(name => scopeOf(name) === scope),
      client: services.client,
      rate: load,
      wanted: () => load !== undefined || this.#dashboard.stats().clients > 0,
    })
    this.#stage = new Stage(
      scenarios({
        registry,
        traffic: this.#traffic,
        client: services.client,
        packages,
        scope,
        edited: this.#edited,
        broken: () => (services.pool.stats().origins[base.origin]?.breaker ?? 0) !== 0,
      }),
      text => this.mark(text),
    )
    const { bus } = services.storage
    if (bus !== undefined) bus.onHeard = invalidations => this.#followOthers(invalidations)
    const dashboard = this.#dashboard.handler()
    this.#server = createServer((request, response) => {
      if (!LOOPBACK_HOST.test(request.headers.host ?? '')) {
        return send(response, 403, json({ error: 'Only for this machine' }))
      }
      this.#answer(request, response, () => dashboard(request, response)).catch((error: Error) => {
        // One that fails in the middle of its answer can only be cut off.
        if (response.headersSent) response.destroy(error)
        else send(response, 500, json({ error: error.message }))
      })
    })
  }

  /**
   * Listens on 127.0.0.1; on any free port when the wanted one cannot be had.
   *
   * @returns the address, and why it is another port than wanted, if it is
   */
  async listen(port: number): Promise<{ url: URL; moved: string | undefined }> {
    const code = await this.#tryListen(port)
    if (code !== undefined) await this.#tryListen(0)
    return {
      url: new URL(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`),
      moved: code && (UNUSABLE[code] ?? `cannot be used (${code})`),
    }
  }

  /** Tells what happened, on all charts of the page; of a long text as much as they take. */
  mark(text: string): void {
    this.#dashboard.mark(text.slice(0, LONGEST_MARK))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const staged = this.#stage[Symbol.asyncDispose]()
    // What a burst waits for is refused, and so the burst over.
    this.#traffic.close()
    await staged
    await this.#edited[Symbol.asyncDispose]()
    this.#dashboard.close()
    this.#guard?.close()
    const closed = new Promise(resolve => this.#server.close(resolve))
    // Streams that have just ended are still to be read to their end.
    const late = setTimeout(() => this.#server.closeAllConnections(), PATIENCE)
    await closed
    clearTimeout(late)
  }

  /** What another process has dropped goes from the traffic's cache, too, and is told. */
  #followOthers(invalidations: readonly Invalidation[]): void {
    for (const { target, name } of invalidations) {
      if (target !== 'tag') continue
      this.#traffic.invalidate(name)
      this.mark(`Another process dropped what is tagged ${printable(name)}`)
    }
  }

  /** @returns the code of what is wrong with the port, if anything is */
  #tryListen(port: number): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException) => {
        this.#server.off('listening', listening)
        if (port === 0 || error.code === undefined) reject(error)
        else resolve(error.code)
      }
      const listening = () => {
        this.#server.off('error', failed)
        resolve(undefined)
      }
      this.#server.once('error', failed).once('listening', listening).listen(port, '127.0.0.1')
    })
  }

  /** @param otherwise answers for the files and the stream of the dashboard */
  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    otherwise: () => Promise<void>,
  ): Promise<void> {
    // Put together, as `//` alone would be taken for the beginning of a host. A proxy's client sends a whole address, which is nothing here.
    const url = URL.parse(`http://localhost${request.url ?? '/'}`)
    if (url?.host !== 'localhost') return send(response, 404, json({ error: 'Nothing there' }))
    const scenario = /^\/scenarios\/([a-z-]+)$/.exec(url.pathname)?.[1]
    if (request.method === 'POST' && scenario !== undefined) {
      // A page of another site can send no header of its own without being asked about it first.
      if (request.headers['x-millrace-demo'] === undefined)
        return send(response, 403, json({ error: 'Only for the page of the demo' }))
      const played = this.#stage.play(scenario)
      return send(response, played ? 202 : 404, json({ played }))
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD')
      return send(response, 405, json({ error: 'Only GET and HEAD' }))
    }
    const page = await this.#page(url, request.headers.accept ?? '')
    if (page === 'dashboard') return otherwise()
    if (page === undefined)
      return send(response, 404, json({ error: `Nothing at ${url.pathname}` }))
    send(response, 200, page)
  }

  async #page(
    { pathname, searchParams }: URL,
    accept: string,
  ): Promise<Page | 'dashboard' | undefined> {
    const { report, tree, services } = this.#content
    switch (pathname) {
      case '/': {
        const { headers, body } = await livePage(
          this.#dashboard,
          { ...report, now: tree.now },
          this.#stage.states,
        )
        return { type: 'text/html', body, headers: Object.fromEntries(headers) }
      }
      case '/live.json':
        return json(liveState(services, tree, this.#traffic, this.#edited, this.#stage))
      case '/report':
        return accept.includes('application/json')
          ? json({ ...report, now: tree.now })
          : { type: 'text/plain', body: `${renderReport({ ...report, now: tree.now })}\n` }
      case '/metrics':
        return {
          type: 'text/plain; version=0.0.4',
          body: services.telemetry.metrics.toPrometheus(),
        }
      case '/grafana.json':
        return json(grafanaDashboard(services.telemetry.metrics, { title: 'Millrace demo' }))
      case '/search':
        return json(search(tree.graph, searchParams.get('q') ?? ''))
      case '/graph': {
        const around = neighbourhood(tree.graph, searchParams.get('around') ?? undefined)
        return around && json(around)
      }
    }
    const name = /^\/packages\/(.+)$/.exec(pathname)?.[1]
    if (name === undefined) return pageFiles.get(pathname) ?? 'dashboard'
    const decoded = decodeName(name)
    if (decoded === undefined) return undefined
    const page = await packagePage(tree.graph, services.client, decoded)
    return page && json(page)
  }
}

function decodeName(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    // A malformed escape names no package.
    return undefined
  }
}

const json = (value: unknown): Page => ({ type: 'application/json', body: JSON.stringify(value) })

function send(response: ServerResponse, status: number, { type, body, headers }: Page): void {
  const contentType = type.includes('json') || type.includes(';') ? type : `${type}; charset=utf-8`
  response.writeHead(status, {
    'content-security-policy': "default-src 'none'",
    ...headers,
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  })
  response.end(body)
}
