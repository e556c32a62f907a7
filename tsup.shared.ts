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
