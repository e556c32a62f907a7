import { globSync } from 'node:fs'
import { basename, join } from 'node:path'

const [bundler, inputs, outputs] = process.argv.slice(2) as [string, string, string]

const files = globSync('*.js', { cwd: inputs }).toSorted()
const entries = Object.fromEntries(files.map(file => [basename(file, '.js'), join(inputs, file)]))

/** `node bundle.ts esbuild|rolldown|webpack INPUTS OUTPUTS`: one ES module for Node of each input, as a service would be shipped. */
const bundlers: Readonly<Record<string, () => Promise<void>>> = {
  async esbuild() {
    const { build } = await import('esbuild')
    await build({
      entryPoints: entries,
      outdir: outputs,
      outExtension: { '.js': '.mjs' },
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
    for (const [name, input] of Object.entries(entries)) {
      const bundle = await rolldown({ input, platform: 'node' })
      const file = join(outputs, `${name}.mjs`)
      await bundle.write({ file, format: 'esm', codeSplitting: false })
      await bundle.close()
    }
  },
  async webpack() {
    const { default: webpack } = await import('webpack')
    await new Promise<void>((resolve, reject) => {
      webpack(
        {
          // Each in a file of its own, as nothing is split; a module is parsed once for all of them.
          entry: Object.fromEntries(
            Object.entries(entries).map(([name, file]) => [
              name,
              { import: file, library: { type: 'module' } },
            ]),
          ),
          mode: 'none',
          target: 'node22',
          context: inputs,
          experiments: { outputModule: true },
          optimization: { splitChunks: false, runtimeChunk: false, providedExports: true },
          output: {
            path: outputs,
            filename: '[name].mjs',
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
