import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'

/** A file of the page, ready to be sent. */
export interface Asset {
  readonly body: Buffer<ArrayBuffer>
  readonly type: string
  readonly etag: string
}

const FILES: Readonly<Record<string, { file: string; type: string }>> = {
  '': { file: 'index.html', type: 'text/html; charset=utf-8' },
  'app.js': { file: 'app.js', type: 'text/javascript; charset=utf-8' },
  'style.css': { file: 'style.css', type: 'text/css; charset=utf-8' },
  'uplot.js': { file: 'uPlot.iife.min.js', type: 'text/javascript; charset=utf-8' },
  'uplot.css': { file: 'uPlot.min.css', type: 'text/css; charset=utf-8' },
}

/**
 * The page's files by path. The build has put uPlot beside the page, sources find it as a dependency. That all are there
 * is seen at once, each is read when it is first asked for: all of them would hold up the event loop for 3 ms.
 */
export class Assets {
  readonly #unread = new Map(
    Object.entries(FILES).map(([path, { file, type }]) => [path, { url: locate(file), type }]),
  )
  readonly #read = new Map<string, Asset>()

  get(path: string): Asset | undefined {
    const read = this.#read.get(path)
    const unread = this.#unread.get(path)
    if (read !== undefined || unread === undefined) return read
    const { url, type } = unread
    const body = readFileSync(url)
    const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
    const asset = { body, type, etag }
    this.#read.set(path, asset)
    return asset
  }
}

function locate(file: string): URL {
  const own = new URL(`./page/${file}`, import.meta.url)
  return existsSync(own) ? own : new URL(import.meta.resolve(`uplot/dist/${file}`))
}
