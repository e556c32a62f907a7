import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Dashboard } from '@millrace/perf-metrics/dashboard'
import type { PackageNode } from '../analyse/import-graph.ts'
import type { RunResult } from '../report/build-report.ts'
import { renderReport } from '../report/render-report.ts'
import type { Report } from '../report/report.ts'
import type { Services } from '../wiring/services.ts'
import { BackgroundLoad } from './background-load.ts'
import { indexPage } from './index-page.ts'

export interface PageContent {
  readonly result: RunResult
  readonly report: Report
  readonly services: Services
}

/** A page in another site's frame or behind a rebound name may not read what runs here. */
const LOOPBACK_HOST = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/i

interface Page {
  readonly type: string
  readonly body: string
}

/** Serves a run on loopback: `/report`, `/metrics`, `/packages/:name`, `/graph`, the live `/dashboard`, and an index of these. */
export class PageServer implements AsyncDisposable {
  readonly #content: PageContent
  readonly #server: Server
  readonly #dashboard: Dashboard
  readonly #background: BackgroundLoad

  constructor(content: PageContent) {
    this.#content = content
    const { metrics, slowest } = content.services.telemetry
    this.#dashboard = new Dashboard({
      registry: metrics,
      basePath: '/dashboard',
      slowSpans: () => slowest.slowSpans(),
    })
    const dashboard = this.#dashboard.handler()
    this.#server = createServer((request, response) => {
      if (!LOOPBACK_HOST.test(request.headers.host ?? '')) {
        return send(response, 403, json({ error: 'Only for this machine' }))
      }
      const answer = () =>
        this.#answer(request, response).catch((error: Error) => {
          send(response, 500, json({ error: error.message }))
        })
      void dashboard(request, response, answer)
    })
    this.#background = new BackgroundLoad({
      client: content.services.client,
      telemetry: content.services.telemetry,
      packages: [...content.result.graph.packages.keys()].filter(name => !name.startsWith('(')),
    })
  }

  /**
   * Listens on 127.0.0.1; on any free port when the wanted one is taken.
   *
   * @returns the address, and whether it is another port than wanted
   */
  async listen(port: number): Promise<{ url: URL; moved: boolean }> {
    const moved = !(await this.#tryListen(port))
    if (moved) await this.#tryListen(0)
    return {
      url: new URL(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`),
      moved,
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#background.close()
    this.#dashboard.close()
    this.#server.closeAllConnections()
    await new Promise(resolve => this.#server.close(resolve))
  }

  #tryListen(port: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException) => {
        this.#server.off('listening', listening)
        if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(false)
        else reject(error)
      }
      const listening = () => {
        this.#server.off('error', failed)
        resolve(true)
      }
      this.#server.once('error', failed).once('listening', listening).listen(port, '127.0.0.1')
    })
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD')
      return send(response, 405, json({ error: 'Only GET and HEAD' }))
    }
    const pathname = (request.url ?? '/').replace(/[?#].*$/s, '')
    const page = await this.#page(pathname, request.headers.accept ?? '')
    if (page === undefined) return send(response, 404, json({ error: `Nothing at ${pathname}` }))
    send(response, 200, page)
  }

  async #page(pathname: string, accept: string): Promise<Page | undefined> {
    const { report, result, services } = this.#content
    const { telemetry } = services
    switch (pathname) {
      case '/':
        return { type: 'text/html', body: indexPage(report, result.graph.packages.values()) }
      case '/report':
        return accept.includes('application/json')
          ? json(report)
          : { type: 'text/plain', body: `${renderReport(report)}\n` }
      case '/metrics':
        return {
          type: 'text/plain; version=0.0.4',
          body: telemetry.metrics.toPrometheus(),
        }
      case '/graph':
        return json([...result.graph.packages.values()].map(plainNode))
    }
    const name = /^\/packages\/(.+)$/.exec(pathname)?.[1]
    return name === undefined ? undefined : this.#package(decodeName(name))
  }

  async #package(name: string | undefined): Promise<Page | undefined> {
    const { result, services } = this.#content
    const node = name === undefined ? undefined : result.graph.packages.get(name)
    if (name === undefined || node === undefined) return undefined
    const dependents = [...result.graph.packages.values()]
      .filter(other => other.imports.has(name))
      .map(other => other.name)
    // From the cache while that is fresh, revalidated when not: the live page is a client as the run was.
    const registry = await services.client
      .package(name)
      .catch((error: Error) => ({ error: error.message }))
    return json({ ...plainNode(node), dependents, registry: registry ?? null })
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

const plainNode = (node: PackageNode) => ({
  ...node,
  versions: [...node.versions],
  imports: [...node.imports],
})

const json = (value: unknown): Page => ({ type: 'application/json', body: JSON.stringify(value) })

function send(response: ServerResponse, status: number, { type, body }: Page): void {
  const contentType = type.includes('json') || type.includes(';') ? type : `${type}; charset=utf-8`
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    'x-content-type-options': 'nosniff',
    // Nothing here needs a script; names on the front page come from the analysed tree.
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
  })
  response.end(body)
}
