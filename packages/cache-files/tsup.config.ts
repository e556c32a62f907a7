import { fileURLToPath } from 'node:url'
import type { Options } from 'tsup'
import { millraceBuild } from '../../tsup.shared.ts'

const source = (path: string): string => fileURLToPath(new URL(`src/${path}`, import.meta.url))

/**
 * Puts the programs of the threads into the code, so that they are there wherever the code is bundled to. A thread runs a text as
 * CommonJS, or as a module where `--input-type` says so: in both it finds Node's modules by a function of its own.
 */
const inlinedThreads: NonNullable<Options['esbuildPlugins']>[number] = {
  name: 'millrace:inlined-threads',
  setup(build) {
    build.onLoad({ filter: /[\\/]src[\\/]thread-programs\.ts$/ }, async () => {
      const programOf = async (path: string): Promise<string> => {
        const { outputFiles } = await build.esbuild.build({
          entryPoints: [source(path)],
          bundle: true,
          minifyWhitespace: true,
          minifySyntax: true,
          format: 'cjs',
          platform: 'node',
          target: 'node22.19',
          banner: { js: '(require => {' },
          footer: { js: '})(process.getBuiltinModule)' },
          write: false,
        })
        return JSON.stringify(outputFiles[0]!.text)
      }
      const parse = await programOf('parse/parse-worker.ts')
      const watch = await programOf('watch/watch-worker.ts')
      return {
        contents: `export const PARSE_PROGRAM = ${parse}\nexport const WATCH_PROGRAM = ${watch}\n`,
        loader: 'js',
      }
    })
  },
}

export default millraceBuild({ index: 'src/index.ts' }, { esbuildPlugins: [inlinedThreads] })
