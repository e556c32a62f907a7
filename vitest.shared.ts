import { transform } from 'esbuild'
import type { Plugin } from 'vite'
import type { TestProjectInlineConfiguration } from 'vitest/config'

/**
 * Lowers TC39 decorators, which vitest's transformer passes through untouched and Node cannot parse.
 * Only files that use one pay for it.
 */
function decorators(): Plugin {
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
const conditions = ['millrace-source', 'node']

/** The folders that hold tests, by project name. */
const folders: Record<string, string> = {
  'cache-core': 'packages/cache-core',
  'cache-files': 'packages/cache-files',
  'cache-redis': 'packages/cache-redis',
  'http-pool': 'packages/http-pool',
  kit: 'packages/kit',
  'perf-metrics': 'packages/perf-metrics',
  'rate-limit': 'packages/rate-limit',
  testkit: 'packages/testkit',
  tracer: 'packages/tracer',
  demo: 'apps/demo',
  benchmarks: 'benchmarks',
  integration: 'integration',
}

/** What the unit tests of every project run with. */
export const unitTests = {
  include: ['src/**/*.test.ts'],
  exclude: ['interop', 'realtime', 'isolated', 'realm'].map(kind => `src/**/*.${kind}.test.ts`),
  // Of several addresses Node gives one up that has not answered within 250 ms, which is how long a process may stand still.
  execArgv: ['--expose-gc', '--network-family-autoselection-attempt-timeout=20000'],
  // A process for each file took a third of a run. So a test file leaves nothing behind: no timer, listener, global or variable of the environment.
  isolate: false,
  // For what hangs, not for what is slow: a loaded machine takes ten times as long, and how fast things are is a benchmark's business.
  testTimeout: 120_000,
  hookTimeout: 60_000,
}

/**
 * For tests that fake the timers of their whole process: each in one of its own, as what another file has left running would go on
 * under them.
 */
export const isolated = {
  include: ['src/**/*.isolated.test.ts'],
  exclude: [],
  isolate: true,
}

/** For tests in a realm of their own, as all those of Jest are: Node's errors, promises and arrays are not instances of its classes. */
export const otherRealm = {
  include: ['src/**/*.realm.test.ts'],
  exclude: [],
  pool: 'vmForks' as const,
}

/**
 * For tests of several processes in real time, whose bounds are seconds that pass: one after another, beside nothing but programs
 * that take what the processors have left, as a process without a processor tells nothing of the code. What can be told on a moved
 * clock does not belong among them.
 */
export const alone = { maxWorkers: 1, sequence: { groupOrder: 1 } }

/** Names of the projects whose package is published. */
export const published: readonly string[] = Object.keys(folders).filter(
  name => folders[name]?.startsWith('packages/') && name !== 'testkit' && name !== 'kit',
)

/**
 * One test project per folder, all with the same options; sources instead of builds, and syntax lowered to what Node 22
 * understands.
 */
export function testProjects(
  test: NonNullable<TestProjectInlineConfiguration['test']>,
  names: readonly string[] = Object.keys(folders),
  suffix = '',
): TestProjectInlineConfiguration[] {
  return names.map(name => ({
    plugins: [decorators()],
    oxc: { target: 'node22' },
    resolve: { conditions },
    // Vitest starts Node with these. Node adds `import` or `require` by itself; named here, `import` would apply to
    // require() too and break packages that have both.
    ssr: { resolve: { conditions, externalConditions: conditions } },
    root: folders[name],
    // What a test waits for has as long as the test: the default second is how fast a machine is.
    test: { expect: { poll: { timeout: 60_000 } }, ...test, name: name + suffix },
  }))
}
