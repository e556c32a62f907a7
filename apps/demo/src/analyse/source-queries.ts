import { dirname, join } from 'node:path'
import type { FileContent, Graph, Query } from '@millrace/cache-files'
import { factsVersion } from './derive-facts.ts'
import type { FileFacts } from './facts.ts'

/** What other files see of one. */
interface FileShape {
  readonly imports: readonly string[]
  readonly exports: readonly string[]
}

/** What one file comes to with those that it imports. */
interface ModuleLinks {
  /** Relative imports that lead to a file. */
  readonly resolved: number
  readonly unresolved: readonly string[]
  /** Names that the files it imports export. */
  readonly visible: number
}

/** What a tree comes to. */
export interface TreeSummary extends Omit<ModuleLinks, 'unresolved'> {
  readonly files: number
  readonly unresolved: number
}

/** Where a relative import may lead. */
const endings = ['', '.js', '.ts', '.mjs', '.cjs', '.tsx', '.d.ts', '/index.js', '/index.ts']

/** The analysis as queries: an edit reaches as far as what it changes, and no further. */
export interface SourceQueries {
  readonly facts: Query<string, FileFacts>
  readonly shape: Query<string, FileShape>
  readonly summary: Query<string, TreeSummary>
  /** Looks up together what the last run knew of the files. */
  preload(paths: readonly string[]): Promise<void>
}

/**
 * @param factsOf derives the facts of a file from its content
 */
export function createSourceQueries(
  graph: Graph,
  factsOf: (content: FileContent) => Promise<FileFacts>,
): SourceQueries {
  const version = factsVersion
  const facts = graph.query('facts', async (context, path) => factsOf(await context.read(path)), {
    version,
  })
  const shape = graph.select(
    facts,
    'shape',
    ({ imports, exports }): FileShape => ({ imports, exports }),
    { version },
  )
  const links = graph.query<ModuleLinks>(
    'links',
    async (context, path) => {
      const { imports } = await context.get(shape, path)
      const unresolved: string[] = []
      let [resolved, visible] = [0, 0]
      for (const specifier of imports) {
        if (!specifier.startsWith('.')) continue
        const base = join(dirname(path), specifier)
        const target = endings.map(end => base + end).find(file => context.kind(file) === 'file')
        if (target === undefined) unresolved.push(specifier)
        else {
          resolved++
          visible += (await context.get(shape, target)).exports.length
        }
      }
      return { resolved, unresolved, visible }
    },
    { version },
  )
  const summary = graph.query<TreeSummary>(
    'summary',
    async context => {
      const paths = context.glob('**/*.{js,ts,mjs,cjs,tsx}')
      const all = await context.getMany(links, paths)
      const sum = (count: (part: ModuleLinks) => number) =>
        all.reduce((a, part) => a + count(part), 0)
      return {
        files: paths.length,
        resolved: sum(part => part.resolved),
        visible: sum(part => part.visible),
        unresolved: sum(part => part.unresolved.length),
      }
    },
    { version },
  )
  return {
    facts,
    shape,
    summary,
    async preload(paths) {
      await graph.preload(facts, paths)
      await graph.preload(shape, paths)
    },
  }
}
