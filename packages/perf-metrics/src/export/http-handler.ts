import type { IncomingMessage, ServerResponse } from 'node:http'
import { gzipped } from '../bytes/gzip.ts'
import { acceptsGzip } from './accept.ts'
import type { Scrape, ScrapeOptions } from './scrape.ts'

/** Bytes below which compression is not worth its time. */
const WORTH_COMPRESSING = 1024
/** Scrapes repeat themselves so much that the fastest level takes out nine tenths. */
const FASTEST = 1

/** Answers scrapes of a `node:http` server. */
export type MetricsHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void>

/** Format by `Accept`, gzip by `Accept-Encoding`, 405 for what is neither GET nor HEAD. */
export function metricsHandler(
  scrape: (options: ScrapeOptions) => Promise<Scrape>,
): MetricsHandler {
  return async (request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' }).end()
      return
    }
    try {
      const { contentType, body } = await scrape({ accept: request.headers.accept })
      const zipped =
        body.length >= WORTH_COMPRESSING &&
        acceptsGzip(String(request.headers['accept-encoding'] ?? ''))
      const content = zipped ? await gzipped([body], FASTEST) : body
      response.writeHead(200, {
        'content-type': contentType,
        'content-length': content.length,
        vary: 'accept, accept-encoding',
        ...(zipped ? { 'content-encoding': 'gzip' } : undefined),
      })
      response.end(request.method === 'HEAD' ? undefined : content)
    } catch {
      // Whatever failed is ours, and a scraper can do no more than count it.
      if (!response.headersSent) response.writeHead(500)
      response.end()
    }
  }
}
