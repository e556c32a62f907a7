import { gzipped } from '../bytes/gzip.ts'
import { acceptsGzip } from '../export/accept.ts'
import type { DashboardRequest } from './access.ts'
import { type Answer, NOT_FOUND, SECURITY } from './answer.ts'
import { type Asset, Assets } from './assets.ts'

/** Level of compression for what is compressed once. */
const SMALLEST = 9

/** Serves the files of the page, compressed and with validators. */
export class PageFiles {
  readonly #assets = new Assets()
  readonly #zipped = new Map<Asset, Uint8Array<ArrayBuffer>>()

  /** @param path relative to where the dashboard is mounted */
  async answer(path: string, request: DashboardRequest): Promise<Answer> {
    const asset = this.#assets.get(path)
    if (asset === undefined) return NOT_FOUND
    const { body, type, etag } = asset
    const headers = {
      ...SECURITY,
      'content-type': type,
      'cache-control': 'no-cache',
      vary: 'accept-encoding',
      etag,
    }
    if (request.header('if-none-match') === etag) return { status: 304, headers }
    if (!acceptsGzip(request.header('accept-encoding'))) {
      return { status: 200, headers, body }
    }
    let zipped = this.#zipped.get(asset)
    if (zipped === undefined) this.#zipped.set(asset, (zipped = await gzipped([body], SMALLEST)))
    return { status: 200, headers: { ...headers, 'content-encoding': 'gzip' }, body: zipped }
  }
}
