import { basename, dirname } from 'node:path'

const [bundler, entry, outfile, ...external] = process.argv.slice(2) as [string, string, string]

/** `node bundle.ts esbuild|rolldown|webpack ENTRY OUTFILE [EXTERNAL…]`: one ES module for Node, as a service would be shipped. */
const bundlers: Readonly<Record<string, () => Promise<void>>> = {
  async esbuild() {
    const { build } = await import('esbuild')
    await build({
      entryPoints: [entry],
      outfile,
      external,
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node22',
      logLevel: 'error',
      banner: { js: requireForCommonJs },
    })
  },
  async rolldown() {
    const { rolldown } = await import('rolldown')
    const bundle = await rolldown({ input: entry, external, platform: 'node' })
    await bundle.write({ file: outfile, format: 'esm', codeSplitting: false })
    await bundle.close()
  },
  async webpack() {
    const { default: webpack } = await import('webpack')
    await new Promise<void>((resolve, reject) => {
      webpack(
        {
          entry,
          mode: 'none',
          target: 'node22',
          context: dirname(entry),
          experiments: { outputModule: true },
          externals: Object.fromEntries(external.map(name => [name, `module ${name}`])),
          optimization: { splitChunks: false },
          output: {
            path: dirname(outfile),
            filename: basename(outfile),
            module: true,
            asyncChunks: false,
            chunkFormat: 'module',
          },
        },
        (error, stats) => {
          if (error) reject(error)
          else if (stats?.hasErrors()) reject(new Error(stats.toString('errors-only')))
          else resolve()
        },
      )
    })
  },
}

/** What esbuild's documentation gives CommonJS dependencies, such as undici, in an ES module. */
const requireForCommonJs =
  "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);"

const run = bundlers[bundler]
if (run === undefined) throw new Error(`no such bundler: ${bundler}`)
await run()
