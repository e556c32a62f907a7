import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { runs, seededRandom } from '@millrace/testkit'
import { parseSync } from 'oxc-parser'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Graph } from '../graph/graph.ts'
import type { Query } from '../graph/query.ts'
import { Workspace } from './workspace.ts'

/** 10,000 files and 200 rounds with MILLRACE_TEST_SCALE=5; MILLRACE_TEST_PART=3/8 makes the third eighth of the rounds, with edits of its own. */
const [PART, PARTS] = (process.env.MILLRACE_TEST_PART ?? '1/1').split('/').map(Number) as [
  number,
  number,
]
const FILES = Math.min(10_000, runs(2_000))
const ROUNDS = Math.ceil(runs(40) / PARTS)
const SOURCE = /\.[cm]?[jt]s$/
const ENDINGS = ['', '.js', '.mjs', '.cjs', '.ts', '/index.js']

let folder: string
let root: string
let paths: readonly string[]
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-installed-')))
  root = join(folder, 'tree')
  paths = copySources(join(import.meta.dirname, '../../../../node_modules/.pnpm'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** Copies sources of the installed dependencies, of which there are many more. */
function copySources(from: string): string[] {
  const copies: string[] = []
  const visit = (below: string): void => {
    for (const entry of readdirSync(join(from, below), { withFileTypes: true })) {
      if (copies.length === FILES) return
      const path = join(below, entry.name)
      if (entry.isDirectory()) visit(path)
      else if (entry.isFile() && SOURCE.test(path) && statSync(join(from, path)).size < 60_000) {
        const copy = join(root, path)
        mkdirSync(dirname(copy), { recursive: true })
        copyFileSync(join(from, path), copy)
        copies.push(copy)
      }
    }
  }
  visit('')
  return copies
}

interface Facts {
  readonly imports: readonly string[]
  readonly exports: readonly string[]
}

function factsOf(path: string, text: string): Facts {
  const { module } = parseSync(path, text)
  return {
    imports: module.staticImports.map(({ moduleRequest }) => moduleRequest.value),
    exports: module.staticExports.flatMap(({ entries }) =>
      entries.map(({ exportName }) => exportName.name ?? exportName.kind),
    ),
  }
}

const targetOf = (path: string, specifier: string, isFile: (path: string) => boolean) =>
  specifier.startsWith('.')
    ? ENDINGS.map(end => join(dirname(path), specifier + end)).find(
        target => SOURCE.test(target) && isFile(target),
      )
    : undefined

/** Names that a file sees of those that it imports. */
function visibleNames(graph: Graph): Query<string, string> {
  const version = '1'
  const facts = graph.query(
    'facts',
    async (context, path) => factsOf(path, (await context.read(path)).bytes.toString()),
    { version },
  )
  const exported = graph.select(facts, 'exports', ({ exports }) => exports, { version })
  return graph.query(
    'visible',
    async (context, path) => {
      const seen: string[] = []
      for (const specifier of (await context.get(facts, path)).imports) {
        const target = targetOf(path, specifier, candidate => context.kind(candidate) === 'file')
        if (target !== undefined) seen.push(...(await context.get(exported, target)))
      }
      return seen.join()
    },
    { version },
  )
}

/** The same from the files alone; only what a text parses to is remembered. */
class Model {
  readonly #parsed = new Map<string, Facts>()

  answers(): string[] {
    const texts = new Map<string, string>()
    for (const path of paths) if (existsSync(path)) texts.set(path, readFileSync(path, 'utf8'))
    const facts = (path: string) => this.#facts(path, texts.get(path)!)
    return paths.map(path => {
      if (!texts.has(path)) return 'missing'
      return facts(path)
        .imports.flatMap(specifier => {
          const target = targetOf(path, specifier, candidate => texts.has(candidate))
          return target === undefined ? [] : facts(target).exports
        })
        .join()
    })
  }

  #facts(path: string, text: string): Facts {
    const key = `${SOURCE.exec(path)?.[0]} ${text}`
    let facts = this.#parsed.get(key)
    if (facts === undefined) {
      facts = factsOf(path, text)
      this.#parsed.set(key, facts)
    }
    return facts
  }
}

test('sources of installed dependencies, edited at random, are never analysed otherwise than from scratch', {
  timeout: 1_200_000,
}, async () => {
  expect(paths).toHaveLength(FILES)
  const random = seededRandom(20_259 + PART)
  const pick = () => paths[Math.floor(random() * paths.length)]!
  const edit = (round: number): void => {
    const path = pick()
    const there = existsSync(path)
    switch (Math.floor(random() * 6)) {
      case 0:
        if (there) appendFileSync(path, `\n// round ${round}\n`)
        break
      case 1:
        if (there) appendFileSync(path, `\nexport const round${round} = 1\n`)
        break
      case 2: {
        const other = pick()
        if (existsSync(other)) copyFileSync(other, path)
        break
      }
      case 3:
        if (there) unlinkSync(path)
        break
      case 4:
        if (there) renameSync(path, pick())
        break
      default:
        writeFileSync(path, `import './${round % 7}.js'\nexport const written${round} = 1\n`)
    }
  }
  const open = () => {
    const workspace = new Workspace({
      root,
      cacheFolder: join(folder, 'cache'),
      preset: 'heavy',
      graph: { maxNodes: 100_000, maxResults: 100_000 },
      watch: { ignore: [] },
    })
    return { workspace, visible: visibleNames(workspace.graph) }
  }
  const model = new Model()
  let kept = open()
  let differences = 0
  for (let round = 0; round < ROUNDS; round++) {
    for (let edits = 0; edits < 20; edits++) edit(round)
    // Now and then another process goes on with what was kept.
    if (round % 20 === 19) {
      await kept.workspace.close()
      kept = open()
    }
    const { workspace, visible } = kept
    const settled = await Promise.allSettled(paths.map(path => workspace.graph.get(visible, path)))
    const answers = settled.map(result =>
      result.status === 'fulfilled' ? result.value : (result.reason as { reason: string }).reason,
    )
    const expected = model.answers()
    differences += answers.filter((answer, index) => answer !== expected[index]).length
  }
  const { computed } = kept.workspace.graph.stats()
  await kept.workspace.close()
  expect(differences).toBe(0)
  expect(computed).toBeGreaterThan(0)
})
