import { createHash } from 'node:crypto'
import { PAGE_SOURCE } from './page-source.ts'

/** A file of the page, ready to be sent. */
export interface Asset {
  readonly body: Buffer<ArrayBuffer>
  readonly type: string
  readonly etag: string
}

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
}

/** The page's files by path, each encoded when it is first asked for. */
export class Assets {
  readonly #assets = new Map<string, Asset>()

  get(path: string): Asset | undefined {
    const kept = this.#assets.get(path)
    if (kept !== undefined || !Object.hasOwn(PAGE_SOURCE, path)) return kept
    const body = Buffer.from(PAGE_SOURCE[path]!)
    const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
    const type = TYPES[path === '' ? 'html' : path.slice(path.lastIndexOf('.') + 1)]!
    const asset = { body, type, etag }
    this.#assets.set(path, asset)
    return asset
  }
}
