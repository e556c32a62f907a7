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

/** The page's files by path. Read once: the build has put uPlot beside the page, sources find it as a dependency. */
export function loadAssets(): ReadonlyMap<string, Asset> {
  const assets = new Map<string, Asset>()
  for (const [path, { file, type }] of Object.entries(FILES)) {
    const body = readFileSync(locate(file))
    const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
    assets.set(path, { body, type, etag })
  }
  return assets
}

function locate(file: string): URL {
  const own = new URL(`./page/${file}`, import.meta.url)
  return existsSync(own) ? own : new URL(import.meta.resolve(`uplot/dist/${file}`))
}
