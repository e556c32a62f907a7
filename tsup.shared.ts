import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Options } from 'tsup'

/**
 * The build of a published package: one ESM file per public entry, shared code in chunks, source maps.
 * Declarations come from tsc (see the packages' `build` script), as tsup cannot make them with TypeScript 7.
 *
 * @param entry public entries by output name, for instance `{ index: 'src/index.ts' }`
 */
export function millraceBuild(entry: Record<string, string>, overrides: Options = {}): Options {
  return {
    entry,
    format: 'esm',
    target: 'node22.19',
    platform: 'node',
    sourcemap: true,
    splitting: true,
    treeshake: true,
    // Declarations are another task's (scripts/declarations.ts).
    clean: ['!**/*.d.ts', '!**/*.d.ts.map'],
    dts: false,
    // Private, so each package carries its own copy.
    noExternal: ['@millrace/kit'],
    // `node:sqlite` exists only under that name.
    removeNodeProtocol: false,
    ...overrides,
    esbuildOptions(options, context) {
      // Maps name the sources; copies of them would double the tarball.
      options.sourcesContent = false
      overrides.esbuildOptions?.(options, context)
    },
  }
}

type Plugin = NonNullable<Options['esbuildPlugins']>[number]

const kit = (file: string): string =>
  fileURLToPath(new URL(`./packages/kit/src/${file}`, import.meta.url))

/**
 * Gives every file that imports the kit an index of its own, of what it names. The bundler counts whatever an index mentions as reachable
 * from all who import it, so that what one entry alone needs would be in the chunk that every entry loads.
 */
export const kitByUse: Plugin = {
  name: 'kit-by-use',
  setup(build) {
    build.onResolve({ filter: /^@millrace\/kit$/ }, ({ importer }) => ({
      path: importer,
      namespace: 'kit',
      sideEffects: false,
    }))
    build.onLoad({ filter: /./, namespace: 'kit' }, async ({ path }) => {
      const exported = namesFrom(await readFile(kit('index.ts'), 'utf8'), '\\./([a-z0-9/-]+\\.ts)')
      const files = new Map(exported.map(([name, file]) => [name, file]))
      const used = namesFrom(await readFile(path, 'utf8'), '(@millrace/kit)')
      const contents = used.map(
        ([name]) => `export { ${name} } from ${JSON.stringify(kit(files.get(name) ?? name))}`,
      )
      return { contents: contents.join('\n'), loader: 'ts', resolveDir: kit('') }
    })
  },
}

/** Values, not types, that the source imports or exports from modules matching `specifier`, each with its module. */
function namesFrom(source: string, specifier: string): [name: string, module: string][] {
  const clause = new RegExp(`(?:import|export) (type )?\\{([^}]*)\\} from '${specifier}'`, 'g')
  const names = new Map<string, string>()
  for (const [, isType, list, module] of source.matchAll(clause)) {
    for (const item of isType === undefined ? list!.split(',') : []) {
      const name = item.trim().split(' as ')[0]!
      if (name !== '' && !name.startsWith('type ')) names.set(name, module!)
    }
  }
  return [...names]
}
