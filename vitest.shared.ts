import { transform } from 'esbuild'
import type { Plugin } from 'vite'

/**
 * Lowers TC39 decorators, which vitest's transformer passes through untouched and Node cannot parse.
 * Only files that use one pay for it.
 */
export function decorators(): Plugin {
  return {
    name: 'millrace:decorators',
    enforce: 'pre',
    async transform(code, id) {
      if (!id.endsWith('.ts') || !/^\s*@[a-z]\w*/m.test(stripComments(code))) return null
      const lowered = await transform(code, {
        loader: 'ts',
        target: 'es2022',
        sourcefile: id,
        sourcemap: true,
        tsconfigRaw: { compilerOptions: { experimentalDecorators: false } },
      })
      return { code: lowered.code, map: lowered.map }
    },
  }
}

function stripComments(code: string): string {
  return code.replace(/\/\*[\s\S]*?\*\//g, '')
}

/** The export condition under which workspace packages resolve each other's TypeScript sources. */
const conditions = ['millrace-source', 'module', 'node', 'import', 'default']

/** What every test project shares: sources instead of builds, and syntax that Node 22 understands. */
export const shared = {
  plugins: [decorators()],
  oxc: { target: 'node22' },
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
}

/** The folders that hold tests, by project name. */
export const projects: Record<string, string> = {
  'cache-core': 'packages/cache-core',
  'cache-files': 'packages/cache-files',
  'cache-redis': 'packages/cache-redis',
  'http-pool': 'packages/http-pool',
  'perf-metrics': 'packages/perf-metrics',
  'rate-limit': 'packages/rate-limit',
  testkit: 'packages/testkit',
  tracer: 'packages/tracer',
  demo: 'apps/demo',
  benchmarks: 'benchmarks',
}
