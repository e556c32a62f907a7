import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Options } from 'tsup'
import { millraceBuild } from '../../tsup.shared.ts'
import { internalNames } from './internal-names.ts'

const main = 'src/index.ts'

const subpaths = {
  memory: 'src/entries/memory.ts',
  fs: 'src/entries/fs.ts',
  sqlite: 'src/entries/sqlite.ts',
  store: 'src/entries/store.ts',
  views: 'src/entries/views.ts',
  tiered: 'src/entries/tiered.ts',
  insight: 'src/entries/insight.ts',
  policies: 'src/entries/policies.ts',
  size: 'src/entries/size.ts',
  snapshot: 'src/entries/snapshot.ts',
  ticker: 'src/entries/ticker.ts',
  'store-contract': 'src/entries/store-contract.ts',
  coherence: 'src/entries/coherence.ts',
  report: 'src/entries/report.ts',
  warm: 'src/entries/warm.ts',
  keyv: 'src/entries/keyv.ts',
  protect: 'src/entries/protect.ts',
}

/**
 * Lets every subpath import the main entry, so that all the main entry needs is one chunk: reading a file takes Node longer than what is in
 * it, and the bundler would make a chunk of each part that some entry has and another has not.
 * What that costs bundles of a subpath alone: benchmarks/results/cache-notes.md.
 */
const mainInOneChunk: NonNullable<Options['esbuildPlugins']>[number] = {
  name: 'main-in-one-chunk',
  setup(build) {
    build.onLoad({ filter: /[\\/]src[\\/]entries[\\/][^\\/]+\.ts$/ }, async ({ path }) => ({
      contents: `${await readFile(path, 'utf8')}\nimport '../index.ts'\n`,
      loader: 'ts',
      resolveDir: dirname(path),
    }))
    build.onResolve({ filter: /^\.\.\/index\.ts$/ }, ({ path, resolveDir }) => ({
      path: join(resolveDir, path),
      sideEffects: true,
    }))
  },
}

export default millraceBuild(
  { index: main, ...subpaths },
  {
    esbuildPlugins: [mainInOneChunk],
    esbuildOptions(options) {
      options.mangleProps = new RegExp(`^(${internalNames.join('|')})$`)
    },
    // Puts constants in where they are used, which no bundler does across statements; names that others see and the structure of the code stay.
    minify: 'terser',
    terserOptions: {
      ecma: 2020,
      module: true,
      // Names of local variables alone, which no stack trace has: a fifth less is read, and what they were the source maps say.
      mangle: { toplevel: false, module: false, keep_classnames: true, keep_fnames: true },
      compress: {
        passes: 3,
        inline: 0,
        reduce_funcs: false,
        lhs_constants: false,
        join_vars: false,
        sequences: false,
      },
      // Without comments, which stand in the declarations, and blanks a third less is read; lines as short as these, for stack traces.
      format: { max_line_len: 100, comments: false, preserve_annotations: true },
    },
  },
)
