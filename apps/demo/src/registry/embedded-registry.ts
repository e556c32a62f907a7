import { hash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Manifest } from '../analyse/manifests.ts'

export interface EmbeddedRegistryOptions {
  /** Reads the manifests to answer from; called at the first request, as a warm run may make none. */
  readonly manifests: () => Promise<Iterable<Manifest>>
  /** Requests accepted in each second; more are answered 429. Default 250. */
  readonly requestsPerSecond?: number
  /** One of so many requests is answered 503. Default 60. */
  readonly unavailableOneIn?: number
  /** Shortest and longest time to an answer in ms. Default 4 and 24. */
  readonly latency?: readonly [number, number]
}

interface Document {
  readonly body: string
  readonly etag: string
}

/**
 * A package registry on loopback that behaves as a public one does to a fast client: it takes its time, sends validators, limits
 * the rate, and is unavailable now and then. What it knows are the packages installed on this machine.
 */
export class EmbeddedRegistry implements AsyncDisposable {
  readonly #options: Required<EmbeddedRegistryOptions>
  readonly #server: Server
  #documents: Promise<ReadonlyMap<string, Document>> | undefined
  #requests = 0
  #second = 0
  #requestsInSecond = 0
  #downUntil = 0
  #slowUntil = 0

  constructor(options: EmbeddedRegistryOptions) {
    this.#options = { requestsPerSecond: 250, unavailableOneIn: 60, latency: [4, 24], ...options }
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: Error) => response.destroy(error))
    })
  }

  /** Starts to listen on a free port of 127.0.0.1. */
  async listen(): Promise<URL> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject).listen(0, '127.0.0.1', resolve)
    })
    this.#server.unref()
    return new URL(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`)
  }

  /** Gets ready what it answers with, which the first request would wait for otherwise. */
  async prepare(): Promise<void> {
    await this.#loaded()
  }

  /** Breaks every connection for so many ms, those that are open included. */
  fail(duration: number): void {
    this.#downUntil = performance.now() + duration
    this.#server.closeAllConnections()
  }

  /** Answers half a second later for so many ms. */
  slow(duration: number): void {
    this.#slowUntil = performance.now() + duration
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise(resolve => this.#server.close(resolve))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const now = performance.now()
    if (now < this.#downUntil) {
      response.destroy()
      return
    }
    const number = ++this.#requests
    const late = now < this.#slowUntil ? 500 : 0
    const [least, most] = this.#options.latency.map(each => each + late) as [number, number]
    // A spread that repeats from run to run, without the regularity of a counter: multiples of the golden ratio.
    const spread = (number * 0.618_033_988_749_895) % 1
    await new Promise(resolve => setTimeout(resolve, least + (most - least) * spread))
    if (this.#overQuota()) {
      response.writeHead(429, { 'retry-after': '1' }).end()
    } else if (number % this.#options.unavailableOneIn === 0) {
      response.writeHead(503).end()
    } else {
      const name = decodeURIComponent(request.url!.slice(1))
      const documents = await this.#loaded()
      send(request, response, documents.get(name))
    }
  }

  #overQuota(): boolean {
    const second = Math.floor(performance.now() / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#requestsInSecond = 0
    }
    return ++this.#requestsInSecond > this.#options.requestsPerSecond
  }

  #loaded(): Promise<ReadonlyMap<string, Document>> {
    this.#documents ??= this.#load()
    return this.#documents
  }

  async #load(): Promise<ReadonlyMap<string, Document>> {
    const byName = Map.groupBy(await this.#options.manifests(), manifest => manifest.name)
    return new Map(
      byName.entries().map(([name, manifests]) => {
        const body = JSON.stringify(packument(name, manifests))
        return [name, { body, etag: `"${hash('sha256', body, 'base64url').slice(0, 27)}"` }]
      }),
    )
  }
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  document: Document | undefined,
): void {
  if (document === undefined) {
    response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":"Not found"}')
    return
  }
  const headers = { etag: document.etag, 'cache-control': 'public, max-age=300' }
  if (request.headers['if-none-match'] === document.etag) {
    response.writeHead(304, headers).end()
  } else {
    response.writeHead(200, { ...headers, 'content-type': 'application/json' }).end(document.body)
  }
}

/** The document a registry has for a name: its versions and which one is the latest. */
function packument(name: string, manifests: readonly Manifest[]): object {
  const versions = Object.fromEntries(
    manifests
      .toSorted((a, b) => a.version.localeCompare(b.version, 'en', { numeric: true }))
      .map(manifest => [manifest.version, manifest]),
  )
  return { name, 'dist-tags': { latest: Object.keys(versions).at(-1) }, versions }
}
