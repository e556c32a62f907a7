import { gzipSync } from 'node:zlib'
import { buildSync } from 'esbuild'

/**
 * What an import may weigh in a bundle that has nothing else, in bytes after minifying and gzip. Somewhat above what it does
 * weigh: whoever goes beyond must see what for.
 */
const limits: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  'cache-core': {
    "export { Cache } from '@millrace/cache-core'": 17_050,
    "export * from '@millrace/cache-core'": 19_130,
  },
}

/** Whether the package installed in `project` keeps within its limits, if it has any. */
export function keepsBundleSize(short: string, project: string): boolean {
  let kept = true
  for (const [contents, limit] of Object.entries(limits[short] ?? {})) {
    const { outputFiles } = buildSync({
      stdin: { contents, resolveDir: project },
      bundle: true,
      minify: true,
      format: 'esm',
      platform: 'node',
      target: 'node22',
      write: false,
      logLevel: 'error',
    })
    const bytes = gzipSync(outputFiles[0]!.contents, { level: 9 }).length
    console.log(`${contents}: ${bytes} bytes of ${limit}`)
    if (bytes > limit) kept = false
  }
  return kept
}
