import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { kitByUse, millraceBuild } from '../../tsup.shared.ts'

const { version } = JSON.parse(
  await readFile(new URL('./package.json', import.meta.url), 'utf8'),
) as { version: string }

type Options = NonNullable<Parameters<typeof millraceBuild>[1]>
type Plugin = NonNullable<Options['esbuildPlugins']>[number]

const ENTRIES = ['index', 'otlp', 'otel', 'auto', 'environment']

/**
 * Puts all that the main entry reaches into one chunk, and leaves the OTLP exporter to its entry: the bundler makes a chunk for every set
 * of entries that share modules, and each further file costs half a millisecond of a start-up that is to take less than five. So every
 * entry imports all of the main one, and another entry takes the exporter from the entry `otlp` itself.
 */
const chunkForMain: Plugin = {
  name: 'chunk-for-main',
  setup(build) {
    build.onResolve({ filter: /^whole:/ }, ({ path, resolveDir }) => ({
      path: `${resolveDir}/${path.slice('whole:'.length)}`,
      // As package.json says that there are none, the import would be dropped.
      sideEffects: true,
    }))
    build.onResolve({ filter: /\/otlp\/otlp-trace-exporter\.ts$/ }, ({ importer }) =>
      importer.startsWith(resolve('src/otlp')) ? undefined : { path: './otlp.js', external: true },
    )
    build.onLoad({ filter: /[/\\]src[/\\][a-z]+\.ts$/ }, async ({ path }) => {
      if (!ENTRIES.some(entry => path === resolve('src', `${entry}.ts`))) return undefined
      const contents = await readFile(path, 'utf8')
      return { contents: `import 'whole:index.ts'\n${contents}`, loader: 'ts' }
    })
  },
}

export default millraceBuild(Object.fromEntries(ENTRIES.map(entry => [entry, `src/${entry}.ts`])), {
  esbuildPlugins: [kitByUse, chunkForMain],
  // Half of the time goes into reading source: less of it, with names and source maps as they were.
  esbuildOptions(options) {
    options.minifyWhitespace = true
    options.minifySyntax = true
    options.define = { ...options.define, MILLRACE_TRACER_VERSION: JSON.stringify(version) }
  },
})
